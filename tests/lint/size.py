#!/usr/bin/python3
"""Sizes: functions of at most 80 lines and 5 parameters, files of at most 600 lines.

A comment "/* flat: why */" in a longer function allows it: one flat table or switch.
"""
import json
import subprocess

import lint

FUNCTION_LINES, FILE_LINES, PARAMETERS = 80, 600, 5


def parameters(signature):
    """The number of parameters in "(int a, void (*cb)(int, int))"."""
    inner = signature.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    depth = commas = 0
    for c in inner:
        depth += {"(": 1, ")": -1}.get(c, 0)
        commas += c == "," and depth == 0
    return commas + 1


def functions(paths):
    out = subprocess.run(
        ["ctags", "--options=NONE", "--output-format=json", "--fields=+neS", "--languages=C", "--kinds-C=f", "-f", "-"]
        + [str(p) for p in paths], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def main():
    report = lint.Report()
    product = lint.sources(*lint.ROOMS)
    paths = lint.sources(*lint.ROOMS, "tests")
    paths = [p for p in paths if "node_modules" not in p.parts]
    lines = {str(p): p.read_text().splitlines() for p in paths}
    for path, text in lines.items():
        if len(text) > FILE_LINES:
            report(path, FILE_LINES, f"size: a file of {len(text)} lines, {FILE_LINES} is the limit")
    lengths = []
    found = functions([p for p in paths if p.suffix == ".c"]) if paths else []
    for f in found:
        length = f["end"] - f["line"] + 1
        if f["path"] in map(str, product):
            lengths.append((length, f["name"], f["path"]))
        body = "\n".join(lines[f["path"]][f["line"] - 1:f["end"]])
        if length > FUNCTION_LINES and "/* flat:" not in body:
            report(f["path"], f["line"], f"size: {f['name']} has {length} lines, {FUNCTION_LINES} is the limit")
        n = parameters(f.get("signature", "()"))
        if n > PARAMETERS:
            report(f["path"], f["line"], f"size: {f['name']} has {n} parameters, {PARAMETERS} is the limit")
    if lengths:
        lengths.sort()
        count = len(lengths)
        under_40 = sum(n < 40 for n, _, _ in lengths)
        print(f"size: {count} functions of the product, median {lengths[count // 2][0]} lines, 90th percentile "
              f"{lengths[count * 9 // 10][0]}, under 40 lines {100 * under_40 // count} %, "
              f"longest {lengths[-1][0]} ({lengths[-1][1]})")
        biggest = max((len(lines[str(p)]), str(p)) for p in product)
        print(f"size: {len(product)} files of the product, {sum(len(lines[str(p)]) for p in product)} lines, "
              f"longest {biggest[0]} ({biggest[1]})")
    report.exit()


main()
