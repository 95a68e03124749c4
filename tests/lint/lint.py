"""What the lint scripts share: which files there are, and C text without comments and strings."""
import pathlib
import re
import sys

ROOMS = ("base", "store", "smpp", "pin", "hlr", "gateway")


def sources(*folders, suffixes=(".c", ".h")):
    """The files of these folders, sorted; generated ones live in the build folder and are not met."""
    found = []
    for folder in folders:
        found += [p for p in pathlib.Path(folder).rglob("*") if p.suffix in suffixes and p.is_file()]
    return sorted(found)


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[-1]
    return re.sub(r"[^\n]", " ", text)


def strip(text):
    """Comments and the contents of literals become blanks; lines and columns stay where they are."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', _blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def calls(code, name):
    """Yields (offset, argument text) of each call NAME(...) in stripped code; name is a regex."""
    for m in re.finditer(r"\b(?:%s)\s*\(" % name, code):
        depth, i = 1, m.end()
        while i < len(code) and depth:
            depth += {"(": 1, ")": -1}.get(code[i], 0)
            i += 1
        yield m.start(), m.end(), i - 1


class Report:
    def __init__(self):
        self.n = 0

    def __call__(self, path, line, what):
        self.n += 1
        print(f"{path}:{line}: {what}")

    def exit(self):
        sys.exit(1 if self.n else 0)
