#!/bin/sh
# Runs the given parts (make targets) and ends with one line: N passed, N failed.
# Each part prints a line "PART: N passed, N failed"; one that does not counts as a failure.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0
for part in "$@"; do
    echo "== $part"
    ${MAKE:-make} --no-print-directory B="${B:-build}" "$part" >"$out" 2>&1
    rc=$?
    cat "$out"
    line=$(sed -n "s/^$part: \([0-9]*\) passed, \([0-9]*\) failed\$/\1 \2/p" "$out" | tail -1)
    p=${line% *} f=${line#* }
    [ "$rc" -eq 0 ] || [ "${f:-0}" -gt 0 ] || f=1
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
