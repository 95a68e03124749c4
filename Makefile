# pinbind: everything is built into $(B); see README.md for the two commands that matter.
#
#   make            the programs             make demo        the first run
#   make check      lint, unit, integration  make lint        the laws of the house
#   make unit       every part by itself     make integration the daemon and real peers
#   make asan       under ASan and UBSan     make valgrind    the unit tests
#   make fuzz       each FUZZ_SECONDS        make soak        SOAK_MESSAGES, peers that misbehave
#   make bench      measurements             make cover       line coverage of the tests
#   make interop    the pages in Chromium    make install     DESTDIR, PREFIX

ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(origin CC),default)
CC      := gcc
endif
B       ?= build
PREFIX  ?= /usr
VERSION := 0.1.0

PKGS    := libevent libevent_openssl openssl hiredis libconfuse jansson libsystemd libsmpp34
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wwrite-strings
WERROR  ?= -Werror
HARDEN  ?= -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE
LDHARD  ?= -pie -Wl,-z,relro,-z,now
CPPFLAGS += -I. -I$(B)/gen -D_GNU_SOURCE -DPINBIND_VERSION='"$(VERSION)"' \
           $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g')
CFLAGS  += -std=gnu11 $(WARN) $(WERROR) $(HARDEN)
LDFLAGS += $(LDHARD)
LDLIBS  += $(shell pkg-config --libs $(PKGS)) -lhttp_parser

ROOMS   := base store smpp pin hlr gateway
MAINS   := gateway/pinbindd.c gateway/pinbindctl.c
SRC     := $(filter-out $(MAINS),$(foreach r,$(ROOMS),$(wildcard $(r)/*.c)))
OBJ     := $(SRC:%.c=$(B)/%.o)
LIB     := $(B)/libpinbind.a
PROGS   := $(patsubst gateway/%.c,$(B)/%,$(wildcard $(MAINS)))
SIMSRC  := $(wildcard tests/sim/*.c)
SIM     := $(if $(SIMSRC),$(B)/pinbind-smsc)
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*/*_test.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FLOWSRC := $(wildcard tests/bench/flow_*.c)
BENCH   := $(patsubst tests/bench/%.c,$(B)/bench/%,$(filter-out $(FLOWSRC),$(wildcard tests/bench/*.c)))
SOAKSRC := $(wildcard tests/soak/*.c)
OPINION := $(B)/second-opinion
SHIM    := $(B)/sctp-over-tcp.so
LUA     := $(wildcard pin/scripts/*.lua)
GEN     := $(B)/gen/pin_scripts.h

# Sanitizers end the process at the first finding, so that no test can pass over one.
ASAN    := -fsanitize=address,undefined -fno-sanitize-recover=all
# The optimiser's warnings are not to be trusted there: the release build asks for none.
ASANCC  := -O1 -g -fno-omit-frame-pointer -fPIE -Wno-conversion -Wno-error $(ASAN)
FUZZ_SECONDS ?= 20

# A line per file; V=1 shows the commands.
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) '$@';)

all: $(PROGS) $(SIM)

$(GEN): $(LUA) tests/lint/lua2c.sh
	@mkdir -p $(@D)
	$(call say,GEN)sh tests/lint/lua2c.sh $(LUA) > $@

$(B)/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(B)/pinbindd $(B)/pinbindctl: $(B)/%: $(B)/gateway/%.o $(LIB)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Its page is taken in by .incbin, which -MMD does not see.
$(B)/tests/sim/web.o: $(wildcard tests/sim/web/*)

# The simulator has a codec of its own: of ours it links base/ only.
$(B)/pinbind-smsc: $(SIMSRC:%.c=$(B)/%.o) $(filter $(B)/base/%,$(OBJ))
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/bench/flow: $(FLOWSRC:%.c=$(B)/%.o)

$(B)/bench/%: $(B)/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS) -lm

$(B)/soak: $(SOAKSRC:%.c=$(B)/%.o) $(LIB)
	$(call say,LINK)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Nothing of ours in it: libsmpp34 judges what we wrote.
$(OPINION): tests/peers/second_opinion.c
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g -Wall -Wextra $(shell pkg-config --cflags libsmpp34) -o $@ $< -lsmpp34

# For a program of Debian's, so without sanitizers.
$(SHIM): tests/peers/osmo/sctp_over_tcp.c
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -D_GNU_SOURCE -std=gnu11 -O1 -g -Wall -Wextra -shared -fPIC -o $@ $< -ldl

.PRECIOUS: $(B)/%.o

# The warnings of a compiler, clang for lint, without its output.
syntax: $(GEN)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -fsyntax-only $(SRC) $(wildcard $(MAINS)) $(SIMSRC) \
	    $(wildcard tests/unit/*/*_test.c tests/fuzz/*.c tests/bench/*.c tests/soak/*.c)

lint:
	+@MAKE='$(MAKE)' B='$(B)' sh tests/lint/run.sh

unit: $(UNIT)
	@sh tests/unit/run.sh $(UNIT)

integration: all $(OPINION) $(SHIM)
	@PINBIND_BUILD='$(B)' sh tests/integration/run.sh

interop: all
	@PINBIND_BUILD='$(B)' sh tests/interop/run.sh

# Builds first, so that the tests are run and counted even where one part of them fails.
check: all $(UNIT) $(OPINION) $(SHIM)
	+@MAKE='$(MAKE)' B='$(B)' sh tests/run.sh lint unit integration

asan:
	@$(MAKE) --no-print-directory B=build/asan HARDEN='$(ASANCC) -Wno-format-truncation' LDHARD='$(ASAN) -pie' sanitized

sanitized: all $(UNIT) $(OPINION) $(SHIM)
	+@MAKE='$(MAKE)' B='$(B)' PINBIND_SLOW=4 sh tests/run.sh unit integration

valgrind: $(UNIT)
	@UNIT_WRAP='valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes' \
	    sh tests/unit/run.sh $(UNIT)

# -fsanitize=fuzzer-no-link counts edges in the library; only the targets have libFuzzer's main.
fuzz:
	@$(MAKE) --no-print-directory CC=clang B=build/fuzz HARDEN='$(ASANCC) -fsanitize=fuzzer-no-link' \
	    LDHARD='$(ASAN) -fsanitize=fuzzer' fuzz-run

fuzz-run: $(FUZZ)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh $(FUZZ)

bench: all $(BENCH)
	@for b in $(BENCH); do echo "== $$b"; $$b || exit 1; done

soak: all $(B)/soak
	@$(B)/soak $(B)/pinbind-smsc

cover:
	@$(MAKE) --no-print-directory CC=clang B=build/cover LDHARD='-pie -fprofile-instr-generate' \
	    HARDEN='-O0 -g -fPIE -fprofile-instr-generate -fcoverage-mapping' cover-run

cover-run: all $(UNIT) $(OPINION) $(SHIM)
	@rm -rf $(B)/profiles && mkdir -p $(B)/profiles
	+@LLVM_PROFILE_FILE='$(abspath $(B))/profiles/%p.profraw' MAKE='$(MAKE)' B='$(B)' PINBIND_SLOW=2 \
	    sh tests/run.sh unit integration || true
	@llvm-profdata merge -sparse -o $(B)/all.profdata $(B)/profiles/*.profraw
	@llvm-cov report $(patsubst %,-object %,$(PROGS) $(UNIT)) -instr-profile=$(B)/all.profdata \
	    -ignore-filename-regex='^tests/|/tests/' -show-region-summary=false

demo: all
	@./demo

install: all
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(B)/pinbindd
	install -D -t $(DESTDIR)$(PREFIX)/bin $(B)/pinbindctl $(B)/pinbind-smsc
	for m in $(wildcard man/*.[1-8]); do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${m##*.} $$m || exit 1; done
	for d in README.md NEWS.md smpp/quirks.md; do \
	    install -D -m 644 $$d $(DESTDIR)$(PREFIX)/share/doc/pinbind/$$d || exit 1; done
	for c in $(wildcard conf/*.conf); do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/pinbind/examples $$c || exit 1; done
	for u in $(wildcard systemd/*); do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $$u || exit 1; done
	install -d -m 750 $(DESTDIR)/etc/pinbind

clean:
	rm -rf build run

-include $(OBJ:.o=.d) $(wildcard $(B)/tests/*/*.d $(B)/tests/*/*/*.d $(B)/gateway/*.d)

.PHONY: all lint syntax unit integration interop check asan sanitized valgrind fuzz fuzz-run bench soak cover \
        cover-run demo install clean
