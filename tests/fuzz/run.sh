#!/bin/sh
# Runs each fuzz target given for FUZZ_SECONDS over tests/fuzz/corpus/NAME.  New inputs go to a
# scratch corpus in the build folder; the kept one changes only by hand.
passed=0 failed=0
for t in "$@"; do
    name=$(basename "$t")
    name=${name#fuzz_}
    found=$(dirname "$t")/corpus-$name
    mkdir -p "$found" "tests/fuzz/corpus/$name"
    echo "== $name"
    if "$t" -max_total_time="${FUZZ_SECONDS:-20}" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" -verbosity=0 "$found" "tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
        grep -E 'number_of_executed_units|average_exec_per_sec' "$found.log"
        passed=$((passed + 1))
    else
        tail -40 "$found.log"
        failed=$((failed + 1))
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
