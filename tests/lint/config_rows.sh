#!/bin/sh
# Builds and runs the check of configuration rows; the output folder is the only argument.
set -eu
out=${1:-build}/lint
mkdir -p "$out"
${CC:-cc} -std=gnu11 -Wall -Wextra -I. -o "$out/config_rows" tests/lint/config_rows.c
"$out/config_rows" conf/pinbind.conf man/pinbind.conf.5 README.md
