#!/bin/sh
# Installs what the build and the tests need: Debian 12, root, nothing but the base system.
set -eu
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive
want=$(cat packages.txt tests/packages.txt)
# A Node.js that is there already and brings its own npm conflicts with Debian's.
if command -v node >/dev/null && command -v npm >/dev/null; then
    want=$(printf '%s\n' "$want" | grep -vx -e nodejs -e npm)
fi
missing=
for p in $want; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q ' installed$' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $missing
fi
npm install --prefix tests/peers --no-package-lock --no-audit --no-fund --loglevel=error
