"""Mistakes in the configuration file: pinbindd -t names file, line and key, in one line, and ends with 1."""
import os
import re

import pytest

from procs import BUILD, ROOT, run
from world import SANITIZERS

GOOD = """\
node = "gw1"
pin_key_file = "pin.key"

store {
    url = "embedded:redis"
}

verify_socket {
    unix = "v.sock"
}

http {
    listen = ""
    noc_listen = ""
}
admin {
    unix = "a.sock"
}

carrier "acme" {
    host = "127.0.0.1"
    port = 2775
    system_id = "pinbind"
    password = "secretpw"
    window = 10
}

route "default" {
    prefixes = {""}
    carriers = {"acme"}
}
"""
# what is replaced, by what, lines from there to the mistake (None: no line is asked for), what must be named
MISTAKES = [
    ("window = 10", "window = 0", 0, "window"),
    ("window = 10", "window = 10001", 0, "window"),
    ("window = 10", 'window = "10"', 0, "window"),
    ("window = 10", "window = ten", 0, "window"),
    ("window = 10", "windw = 10", 0, "windw"),
    ("window = 10", "window = 10\n    window = 11", 1, "window"),
    ("window = 10", 'validity = "forever"', 0, "validity"),
    ("window = 10", 'message_id = "base64"', 0, "message_id"),
    ("window = 10", 'receipt_time_zone = "Europe/Zagreb"', 0, "receipt_time_zone"),
    ("window = 10", 'source = "MUCH TOO LONG A SENDER"', 0, "source"),
    ("window = 10", 'tls_ca_file = "ca.pem"', 0, "tls_ca_file: "),
    ("window = 10", 'bind = "both"', 0, "bind: "),
    ("window = 10", 'receipt_states = {"ACKED"}', 0, "receipt_states: STAT=STATE, such as"),
    ("port = 2775", "port = 0", 0, "port"),
    ("port = 2775", "port = 65536", 0, "port"),
    ("port = 2775", "port = -1", 0, "port"),
    ('password = "secretpw"', 'password = "much-too-long"', 0, "password"),
    ('password = "secretpw"', 'password = "pw${HOME}"', 0, "${"),
    ('password = "secretpw"', 'password_file = "nowhere.pass"', 0, "nowhere.pass"),
    ('password = "secretpw"', 'password_file = "open.pass"', 0, "open.pass"),
    ('password = "secretpw"', 'password = "secretpw"\n    password_file = "good.pass"', None, "password"),
    ('    password = "secretpw"\n', "", None, "password"),
    ('    host = "127.0.0.1"\n', "", None, "host"),
    ('host = "127.0.0.1"', 'host = "127.0.0.1"\n    hosts = {"127.0.0.2"}', None, "host"),
    ('host = "127.0.0.1"', 'host = "not a host"', 0, "host"),
    ('system_id = "pinbind"', 'system_id = "more-than-fifteen-octets"', 0, "system_id"),
    ('system_id = "pinbind"', 'system_id = ""', 0, "system_id"),
    ('carrier "acme"', 'carrier "A b"', 0, "carrier"),
    ('carriers = {"acme"}', 'carriers = {"other"}', 0, "other"),
    ('carriers = {"acme"}', "carriers = {}", None, "carriers"),
    ('carriers = {"acme"}', 'carriers = {"acme", "acme"}', 0, "acme"),
    ('prefixes = {""}', 'prefixes = {"abc"}', 0, "prefixes"),
    ('prefixes = {""}', 'mccmnc = {"21901"}', 0, "not available yet"),
    ('url = "embedded:redis"', 'url = "mysql://x"', 0, "url"),
    ('url = "embedded:redis"', 'url = "sentinel://a:1/m"', 0, "not available yet"),
    ('url = "embedded:redis"', 'url = "cluster://a:1"', 0, "not available yet"),
    ('url = "embedded:redis"', 'url = "rediss://a:1"', 0, "not available yet"),
    ('url = "embedded:redis"', 'url = "redis://user:pw@h:1"', 0, "url"),
    ('unix = "v.sock"', 'unix = "' + "x" * 120 + '"', 0, "unix"),
    ('unix = "v.sock"', 'tcp = "0.0.0.0:2777"', 0, "insecure"),
    ('unix = "v.sock"', 'tcp = "nonsense"', 0, "tcp"),
    ('unix = "v.sock"', 'unix = "v.sock"\n    unix_mode = 999', 1, "unix_mode"),
    ('node = "gw1"', 'policy = "strict"', 0, "policy"),
    ('    listen = ""', '    operator_key_file = "x"', 0, "not available yet"),
    ('node = "gw1"', 'node = "gw1"\nnode = "gw2"', 1, "node"),
    ('pin_key_file = "pin.key"', 'pin_key_file = "absent.key"', 0, "absent.key"),
    ('store {', 'store {\n}\nstore {', 2, "store"),
    ("}\n\nroute", "\n\nroute", None, ""),
    ('    carriers = {"acme"}\n}\n', '    carriers = {"acme"}\n', None, ""),
    ('node = "gw1"', 'node = "gw1', None, ""),
    ('node = "gw1"', "/* never closed\n" + 'node = "gw1"', None, ""),
    ('node = "gw1"', "# a comment\n\n/* over\n   lines */\nnode = 5", 4, "node"),
]


@pytest.fixture
def folder(tmp_path):
    assert run([BUILD / "pinbindctl", "pinkey", "new", tmp_path / "pin.key"])[0] == 0
    for name, mode in (("open.pass", 0o644), ("good.pass", 0o600)):
        (tmp_path / name).write_text("secretpw\n")
        (tmp_path / name).chmod(mode)
    return tmp_path


def check(folder, text):
    path = folder / "p.conf"
    path.write_text(text)
    path.chmod(0o600)
    return run([BUILD / "pinbindd", "-t", "-c", path], env={**os.environ, **SANITIZERS})


README = (ROOT / "README.md").read_text()
CARRIERS = re.findall(r'^```\n(carrier "(\w+)" \{\n.*?\n\}\n)```$', README, re.M | re.S)


@pytest.mark.parametrize("text, name", CARRIERS, ids=[name for _, name in CARRIERS])
def test_a_carrier_that_the_readme_shows_is_good(folder, text, name):
    (folder / f"{name}.pass").write_text("secretpw\n")
    (folder / f"{name}.pass").chmod(0o600)
    before, rest = GOOD.split('carrier "acme"')
    code, out, err = check(folder, before + text + rest[rest.index("route"):].replace('"acme"', f'"{name}"'))
    assert code == 0, out + err


def test_the_readme_shows_carriers():
    assert [name for _, name in CARRIERS] == ["alpha", "beta", "gamma", "osmo"]


def test_the_good_one_is_good(folder):
    code, out, err = check(folder, GOOD)
    assert code == 0, out + err
    assert not (folder / "redis").exists() and not (folder / "v.sock").exists()


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_mistake_is_named_with_file_line_and_key(folder, number):
    old, new, below, named = MISTAKES[number]
    line = None if below is None else GOOD.count("\n", 0, GOOD.index(old)) + 1 + below
    code, out, err = check(folder, GOOD.replace(old, new, 1))
    said = (out + err).strip()
    assert code == 1, said
    assert len(said.splitlines()) == 1, said
    assert "p.conf" in said and named in said, said
    if line is not None:
        assert re.search(rf"p\.conf:{line}\b", said), said
    assert "secretpw" not in said


@pytest.mark.parametrize("text", ["", "\0\0\0", "{", '"', "a = {", "carrier", 'carrier "x"', "}" * 1000, "x" * 100000, "\xff\xfe"])
def test_what_is_no_configuration_is_refused(folder, text):
    code, out, err = check(folder, text)
    assert code == 1 and (out + err).strip()


def test_a_file_that_is_not_there(tmp_path):
    code, out, err = run([BUILD / "pinbindd", "-t", "-c", tmp_path / "none.conf"])
    assert code == 1 and "none.conf" in out + err


def test_the_shipped_files_are_good(folder):
    """The sample's passwords and keys are not here, so only what is wrong with its form would show."""
    import procs
    for name in ("minimal.conf", "pinbind.conf"):
        text = (procs.ROOT / "conf" / name).read_text()
        text = re.sub(r'^(\s*)password_file = ".*"', r'\1password = "pw"', text, flags=re.M)
        text = re.sub(r'^(\s*)pin_key_file = ".*"', r'\1pin_key_file = "pin.key"', text, flags=re.M)
        if "pin_key_file =" not in re.sub(r"#.*", "", text):
            text = 'pin_key_file = "pin.key"\n' + text
        code, out, err = check(folder, text)
        assert code == 0, name + ": " + out + err
