#!/bin/sh
# Builds and runs the check of metrics; the output folder is the only argument.
set -eu
out=${1:-build}/lint
mkdir -p "$out"
${CC:-cc} -std=gnu11 -Wall -Wextra -I. -o "$out/metrics_rows" tests/lint/metrics_rows.c
"$out/metrics_rows" man/pinbindd.8
