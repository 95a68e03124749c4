#!/bin/sh
# Runs each unit test program given; a line of totals at the end.  UNIT_WRAP may name a wrapper.
# A program that prints no totals (a crash) or takes over five minutes counts as one failure.
passed=0 failed=0 bad=
for t in "$@"; do
    out=$(timeout 300 ${UNIT_WRAP:-} "$t" 2>&1)
    rc=$?
    # a program may hold several groups, each with totals of its own
    p=$(printf '%s\n' "$out" | awk '/^\[  PASSED  \] [0-9]+ test/ { n += $4 } END { print n + 0 }')
    f=$(printf '%s\n' "$out" | awk '/^\[  FAILED  \] [0-9]+ test/ { n += $4 } END { print n + 0 }')
    if [ $rc -ne 0 ] || [ "$p" -eq 0 ]; then
        [ "$f" -gt 0 ] || f=1
        bad="$bad $t"
        printf '%s\n' "$out"
    fi
    passed=$((passed + p)) failed=$((failed + f))
done
[ -z "$bad" ] || echo "unit: failed:$bad"
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
