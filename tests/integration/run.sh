#!/bin/sh
# The integration tests, then what three other decoders say about every PDU that they made pinbind write.
cd "$(dirname "$0")/../.." || exit 1
: "${PINBIND_BUILD:=build}"
export PINBIND_BUILD PYTHONDONTWRITEBYTECODE=1
PINBIND_COUNTS=$PINBIND_BUILD/counts
export PINBIND_COUNTS
rm -rf "$PINBIND_COUNTS" "$PINBIND_BUILD/pdus" "$PINBIND_BUILD/failed"
rc=0
/usr/bin/python3 -m pytest -q -n "${PYTEST_WORKERS:-2}" --ignore=tests/integration/decoders tests/integration "$@" || rc=1
/usr/bin/python3 -m pytest -q tests/integration/decoders || rc=1
awk -v rc=$rc '{ p += $1; f += $2 }
    END { if (NR < 2) f++; if (rc && !f) f = 1; printf "integration: %d passed, %d failed\n", p, f; exit f > 0 }' "$PINBIND_COUNTS"
