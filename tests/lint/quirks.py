"""Each row of smpp/quirks.md has a test: one that bears its number, or those that the row names."""
import pathlib
import re
import sys

NUMBERS = [str(n) for n in range(1, 67)] + [f"F{n}" for n in range(1, 11)]
UNIT = re.compile(r"^static void (\w+)\(void \*\*state\)", re.M)
# A function, or one case of one: pytest.param(..., id="q12-dlresm44").
INTEGRATION = re.compile(r"^def (test_\w+)|[\"'](q\d+-[^\"']*)[\"']", re.M)


def tests():
    names = set()
    for path in pathlib.Path("tests/unit").rglob("*_test.c"):
        names |= set(UNIT.findall(path.read_text()))
    for path in pathlib.Path("tests/integration").rglob("test_*.py"):
        names |= {a or b for a, b in INTEGRATION.findall(path.read_text())}
    return names


def rows():
    found = {}
    for line in pathlib.Path("smpp/quirks.md").read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"F?\d+", cells[0]):
            found[cells[0]] = (cells[3], cells[4])
    return found


def keys():
    return set(re.findall(r'^[A-Z]+\((?:carrier|store), "(\w+)"', pathlib.Path("gateway/config.def").read_text(), re.M))


def main():
    known, table, config, bad = tests(), rows(), keys(), []
    numbered = {}
    for name in known:
        for number in re.findall(r"(?:^|_)q(f?\d+)(?=_|-)", name):
            numbered.setdefault(number.lstrip("0").upper().replace("F0", "F"), []).append(name)
    for number in NUMBERS:
        if number not in table:
            bad.append(f"{number}: no row")
            continue
        row_keys, row_tests = table[number]
        named = re.findall(r"`(\w+)`", row_tests)
        bad += [f"{number}: there is no test {n}" for n in named if n not in known]
        bad += [f"{number}: there is no key {k}" for k in re.findall(r"`(\w+)`", row_keys) if k not in config]
        if not named and number not in numbered:
            bad.append(f"{number}: no test bears its number, and the row names none")
    for line in bad:
        print(f"smpp/quirks.md: {line}")
    print(f"quirks: {len(NUMBERS)} rows, {len(bad)} without proof")
    return 1 if bad else 0


sys.exit(main())
