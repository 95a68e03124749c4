#!/usr/bin/python3
"""Breaks one law of the house at a time, in a copy of the tree, and expects lint to name it."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FOLDERS = ("base", "store", "smpp", "pin", "hlr", "gateway", "conf", "man", "tests/lint", "tests/sim",
           "tests/unit", "tests/integration")


def append(path, text):
    def change(root):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with open(root / path, "a") as f:
            f.write(text)
    return change


def cut(path, wanted):
    """Takes out the first line that has `wanted` in it; the law must need that line."""
    def change(root):
        lines = (root / path).read_text().splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if wanted in line)
        (root / path).write_text("".join(lines[:at] + lines[at + 1:]))
    return change


def function(name, parameters, lines):
    return f"void {name}({parameters})\n{{\n" + "    x();\n" * lines + "}\n"


HEADER = "#ifndef BASE_X_H\n#define BASE_X_H\n%s\n#endif\n"
LAWS = [  # check, what is done to the tree, what lint must say
    ("layers", append("base/x.c", '#include "store/store.h"\n'), "base may not include store"),
    ("layers", append("smpp/x.c", '#include "pin/pin.h"\n'), "smpp may not include pin"),
    ("layers", append("pin/x.c", '#include "smpp/smpp.h"\n'), "pin may not include smpp"),
    ("layers", append("store/x.h", '#include "gateway/config.h"\n'), "store may not include gateway"),
    ("layers", append("gateway/x.c", '#include "smpp/smpp_frame.h"\n'), "smpp/smpp_frame.h is private to smpp"),
    ("layers", append("gateway/x.c", "#include <confuse.h>\n"), "libconfuse is not for this file"),
    ("layers", append("smpp/smpp_decode.c", "#include <smpp34.h>\n"), "libsmpp34 is not for this file"),
    ("layers", append("gateway/x.c", "#include <hiredis/hiredis.h>\n"), "gateway may not include hiredis"),
    ("layers", append("base/x.c", "#include <leveldb/c.h>\n"), "<leveldb/c.h> is of no library"),
    ("layers", append("tests/sim/x.c", '#include "smpp/smpp.h"\n'), "tests/sim may not include smpp"),
    ("layers", append("gateway/x.c", '#include "pin_scripts.h"\n'), "pin_scripts.h belongs to pin"),
    ("headers", append("base/x.h", HEADER % "struct x { size_t n; };"), "base/x.h:1: headers: does not compile alone"),
    ("headers", append("base/x.h", "int x;\n"), "base/x.h:1: headers: no include guard"),
    ("clang", append("base/x.c", "int f(char *s);\nint f(char *s)\n{\n    return s = s, 0;\n}\n"), "self-assign"),
    ("size", append("base/x.c", function("long_one", "void", 80)), "long_one has 83 lines"),
    ("size", append("base/x.c", function("wide_one", "int a, int b, int c, int d, int e, int f", 1)),
     "wide_one has 6 parameters"),
    ("size", append("base/x.c", "\n" * 601), "a file of 601 lines"),
    ("forbidden", append("base/x.c", "void f(char *a){strcpy(a, a);}\n"), "strcpy() has no bound"),
    ("forbidden", append("smpp/x.c", "void f(void){sleep(1);}\n"), "sleep() blocks the event loop"),
    ("forbidden", append("smpp/x.c", "void f(void){getaddrinfo(h, 0, 0, &r);}\n"), "getaddrinfo() blocks"),
    ("forbidden", append("gateway/x.c", "void f(void){system(x);}\n"), "system() runs a shell"),
    ("forbidden", append("pin/x.c", 'void f(void){LOG(1, id, "e", KV_S("k", (char *)o->password.data));}\n'),
     "a secret in a log line"),
    ("forbidden", append("pin/x.c", 'void f(void){printf("%s", o->password);}\n'), "a secret in a log line"),
    ("forbidden", append("pin/x.c", "int f(void){return strcmp(a, o->password) == 0;}\n"),
     "compare secrets with secret_equal()"),
    ("format", append("base/x.c", "int  x ;\n"), "base/x.c:1:4: error: code should be clang-formatted"),
    ("cppcheck", append("base/x.c", "int f(void)\n{\n    int a[2] = {0};\n    return a[2];\n}\n"),
     "base/x.c:4:13: error: Array 'a[2]' accessed at index 2"),
    ("config_rows", cut("conf/pinbind.conf", "enquire_link_s"), "enquire_link_s"),
    ("config_rows", cut("man/pinbind.conf.5", "enquire_link_s"), "enquire_link_s"),
    ("config_rows", cut("README.md", "| `enquire_link_s`"), "enquire_link_s: the reference lacks"),
    ("config_rows", cut("man/pinbind.conf.5", "Needs a restart."), 'must say "needs a restart"'),
    ("config_rows", cut("conf/pinbind.conf", "binds anew)"), 'host: must say "binds anew"'),
    ("metrics_rows", cut("man/pinbindd.8", "pinbind_store_up No gauge"), "pinbind_store_up is missing"),
    ("metrics_rows", cut("man/pinbindd.8", "1 while the store answers"), "pinbind_store_up gauge: \"\": the row has"),
    ("metrics_rows", cut("gateway/metrics.def", "VALUE(pinbind_store_up,"), "pinbind_store_up: no row"),
    ("quirks", cut("smpp/quirks.md", "| 44 |"), "44: no row"),
    ("quirks", append("smpp/quirks.md", "| 43 | x | y | `no_such_key` | |\n"), "43: there is no key no_such_key"),
    ("quirks", append("smpp/quirks.md", "| 43 | x | y | | `no_such_test` |\n"), "43: there is no test no_such_test"),
    ("quirks", cut("tests/integration/test_answers.py", "def test_q35_"), "35: no test bears its number"),
]


def copy_tree(to):
    for folder in FOLDERS:
        if os.path.isdir(folder):
            shutil.copytree(folder, to / folder)
    for file in (".clang-format", "Makefile", "README.md"):
        shutil.copy(file, to)


def breaks(root, check, change, expected):
    """True when the check fails after the change and says what is expected."""
    try:
        change(root)
    except (OSError, StopIteration) as e:
        print(f"selftest: {check}: nothing to break for {expected!r}: {e!r}")
        return False
    done = subprocess.run(["sh", "tests/lint/run.sh", check], cwd=root, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode != 0 and expected in said:
        return True
    print(f"selftest: {check} did not say {expected!r} (exit status {done.returncode}):\n{said[-2000:]}")
    return False


bad = 0
with tempfile.TemporaryDirectory() as scratch:
    clean = pathlib.Path(scratch) / "clean"
    copy_tree(clean)
    for number, (check, change, expected) in enumerate(LAWS):
        broken = pathlib.Path(scratch) / str(number)
        shutil.copytree(clean, broken)
        if not breaks(broken, check, change, expected):
            bad += 1
        shutil.rmtree(broken)
print(f"selftest: {len(LAWS) - bad} of {len(LAWS)} broken laws were named")
sys.exit(1 if bad else 0)
