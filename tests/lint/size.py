#!/usr/bin/python3
"""Sizes: functions of at most 80 lines and 5 parameters, files of at most 600 lines.

A comment "/* flat: why */" in a longer function allows it: one flat table or switch; "/* given: by whom */"
more parameters.  Memory and its length count as one parameter, a callback and its argument too.  Files of cases in tests/unit may have
1200 lines.
"""
import json
import re
import subprocess

import lint

FUNCTION_LINES, FILE_LINES, PARAMETERS = 80, 600, 5
CASES_LINES = 1200


def split(inner):
    """The declarations between commas that are in no bracket."""
    parts, depth = [""], 0
    for c in inner:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def parameters(signature):
    """The number of parameters in "(int a, void (*cb)(int, int))", pairs counted as one."""
    inner = signature.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    parts = split(inner)
    count = len(parts)
    for before, here in zip(parts, parts[1:]):
        if re.match(r"(size_t|uint\w+) \w*(len|size|cap|n|count)\w*$", here) and ("*" in before or "[" in before):
            count -= 1
        elif re.match(r"void ?\* ?\w*arg$", here):
            count -= 1
    return count


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
        limit = CASES_LINES if path.startswith("tests/unit/") else FILE_LINES
        if len(text) > limit:
            report(path, limit, f"size: a file of {len(text)} lines, {limit} is the limit")
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
        if n > PARAMETERS and "/* given:" not in body:
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
