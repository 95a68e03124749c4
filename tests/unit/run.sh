#!/bin/sh
# Runs each unit test program given; a line of totals at the end.  UNIT_WRAP may name a wrapper.
passed=0 failed=0 bad=
for t in "$@"; do
    out=$(${UNIT_WRAP:-} "$t" 2>&1)
    rc=$?
    p=$(printf '%s\n' "$out" | sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' | tail -1)
    f=$(printf '%s\n' "$out" | sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' | head -1)
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
    if [ $rc -ne 0 ] || [ "${p:-0}" -eq 0 ]; then
        [ "${f:-0}" -gt 0 ] || failed=$((failed + 1))
        bad="$bad $t"
        printf '%s\n' "$out"
    fi
done
[ -z "$bad" ] || echo "unit: failed:$bad"
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
