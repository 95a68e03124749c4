#!/bin/sh
# Turns Lua scripts into a C header of string literals: pin_script_NAME for NAME.lua.
# Comment lines and leading blanks are dropped: Redis keeps the text in memory.
set -eu
echo "/* generated from pin/scripts by tests/lint/lua2c.sh */"
for f in "$@"; do
    printf 'static const char pin_script_%s[] =\n' "$(basename "$f" .lua)"
    sed -e '/^[[:space:]]*--/d' -e '/^[[:space:]]*$/d' -e 's/^[[:space:]]*//' \
        -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&\\n"/' "$f"
    echo '    ;'
done
