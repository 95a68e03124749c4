#!/bin/sh
# A real Chromium on the demo's pages; pictures of them in $B/interop.  Not part of make check: it
# needs Debian's package chromium and npm's puppeteer-core besides what tests/deps.sh installs.
set -eu
cd "$(dirname "$0")/../.."
: "${PINBIND_BUILD:=build}"
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$CHROMIUM" ] || { echo "interop: needs Chromium: apt-get install chromium (or CHROMIUM=/path)" >&2; exit 1; }
command -v npm >/dev/null || { echo "interop: needs Node.js and npm: sh tests/deps.sh" >&2; exit 1; }
[ -d tests/interop/node_modules/puppeteer-core ] ||
    npm install --prefix tests/interop --no-package-lock --no-audit --no-fund --loglevel=error ||
    { echo "interop: puppeteer-core could not be had from the npm registry" >&2; exit 1; }
PICTURES=$(mkdir -p "$PINBIND_BUILD/interop" && cd "$PINBIND_BUILD/interop" && pwd)
export CHROMIUM PICTURES PINBIND_BUILD PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 tests/interop/stack.py node --test --test-reporter=spec tests/interop/
echo "interop: pictures are in $PICTURES"
