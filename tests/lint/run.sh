#!/bin/sh
# The laws of the house.  Without arguments all of them; ends with "lint: N passed, N failed".
# Run in the root of a tree: the self-test runs it in copies that break one law each.
here=tests/lint
py=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

layers() { $py $here/layers.py; }
headers() { sh $here/headers.sh; }

# the build shows gcc's warnings
clang() { ${MAKE:-make} -s --no-print-directory CC=clang B="${B:-build}/clang" syntax; }
size() { $py $here/size.py; }
forbidden() { $py $here/forbidden.py; }

# every row of the configuration stands in the sample and in the man page
config_rows() {
    if [ -f $here/config_rows.py ]; then $py $here/config_rows.py; else sh $here/config_rows.sh; fi
}

# every metric stands in the man page, with its type and help
metrics_rows() { sh $here/metrics_rows.sh "${B:-build}"; }

# every row of smpp/quirks.md has a test
quirks() { $py $here/quirks.py; }

format() {
    find $(ls -d base store smpp pin hlr gateway tests 2>/dev/null) -name node_modules -prune -o -name '*.[ch]' -print |
        xargs -r clang-format --dry-run -Werror
}

cppcheck() {
    mkdir -p "${B:-build}/cppcheck"
    # shellcheck disable=SC2046
    command cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 --suppressions-list=$here/cppcheck.suppress --max-configs=4 \
        --cppcheck-build-dir="${B:-build}/cppcheck" -D_GNU_SOURCE -D__linux__ -D__GNUC__ \
        --include=$here/cppcheck.h -DPINBIND_VERSION='"0"' -I. $(ls -d base store smpp pin hlr gateway tests/sim 2>/dev/null)
}

# each check above goes red when its law is broken
selftest() { $py $here/selftest.py; }

passed=0 failed=0 all=
[ $# -gt 0 ] || { all=1; set -- layers headers clang size forbidden config_rows metrics_rows quirks format cppcheck selftest; }
for check in "$@"; do
    if "$check"; then
        passed=$((passed + 1))
    else
        echo "lint: $check failed"
        failed=$((failed + 1))
    fi
done
[ -z "$all" ] || echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
