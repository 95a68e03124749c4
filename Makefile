# pinbind: everything is built into $(B); see README.md for the two commands that matter.
#
#   make            the programs            make lint       the laws of the house
#   make check      lint, unit, integration make asan       the same tests under ASan and UBSan
#   make valgrind   unit tests              make fuzz       each target a bounded time
#   make demo       the first run           make install    DESTDIR, PREFIX

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
LDLIBS  += $(shell pkg-config --libs $(PKGS))

ROOMS   := base store smpp pin hlr gateway
MAINS   := gateway/pinbindd.c gateway/pinbindctl.c
SRC     := $(filter-out $(MAINS),$(foreach r,$(ROOMS),$(wildcard $(r)/*.c)))
OBJ     := $(SRC:%.c=$(B)/%.o)
LIB     := $(B)/libpinbind.a
PROGS   := $(patsubst gateway/%.c,$(B)/%,$(wildcard $(MAINS)))
SIMSRC  := $(wildcard tests/sim/*.c)
SIM     := $(if $(SIMSRC),$(B)/pinbind-smsc)
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*/*_test.c))
LUA     := $(wildcard pin/scripts/*.lua)
GEN     := $(B)/gen/pin_scripts.h

all: $(PROGS) $(SIM)

$(GEN): $(LUA) tests/lint/lua2c.sh
	@mkdir -p $(@D)
	sh tests/lint/lua2c.sh $(LUA) > $@

$(B)/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/pinbindd $(B)/pinbindctl: $(B)/%: $(B)/gateway/%.o $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The simulator has a codec of its own: of ours it links base/ only.
$(B)/pinbind-smsc: $(SIMSRC:%.c=$(B)/%.o) $(filter $(B)/base/%,$(OBJ))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/unit/%: $(B)/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

.PRECIOUS: $(B)/tests/unit/%.o

unit: $(UNIT)
	sh tests/unit/run.sh $(UNIT)

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(wildcard $(B)/tests/*/*.d $(B)/tests/*/*/*.d)

.PHONY: all unit clean
