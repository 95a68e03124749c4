#!/bin/sh
# Each header compiles alone, with gcc and with clang, and has an include guard.
flags="-std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -Wundef -Werror $(pkg-config --cflags libevent openssl hiredis jansson)"
bad=0
for h in $(find base store smpp pin hlr gateway tests -name '*.h' 2>/dev/null); do
    grep -q '^#ifndef [A-Z0-9_]*_H$' "$h" || { echo "$h:1: headers: no include guard"; bad=1; }
    for cc in gcc clang; do
        # shellcheck disable=SC2086
        printf '#include "%s"\n' "$h" | $cc $flags -fsyntax-only -x c - ||
            { echo "$h:1: headers: does not compile alone with $cc"; bad=1; }
    done
done
exit $bad
