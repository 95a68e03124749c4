"""What an operator asks of a running gateway."""
import json
import re
import socket

import pytest
import redis

from procs import BUILD, SLOW, run, wait_for
from world import NodeSmsc, World, number


@pytest.fixture(scope="module")
def running():
    w = World()
    gateway, account = w.start({"acme": w.node("smsc")})
    yield gateway, account
    w.close(False)


def is_refused(gateway, key):
    client = gateway.client(key)
    try:
        return not client.ping()
    except redis.ResponseError as e:
        assert str(e).startswith("WRONGPASS"), e
        return True
    finally:
        client.close()


def test_a_second_key_works_until_it_is_revoked(running):
    gateway, account = running
    made = gateway.ctl("key", "create", account.name)
    assert made["account"] == account.name and made["key"] != account.key
    assert gateway.client(made["key"]).ping()
    assert gateway.ctl("key", "revoke", made["key"]) == {"account": account.name}
    wait_for(lambda: is_refused(gateway, made["key"]), "the revoked key is refused", 5)
    assert gateway.client(account.key).ping()
    gateway.ctl("key", "revoke", made["key"], status=1)
    gateway.ctl("key", "create", "nobody", status=1)


def test_a_key_to_revoke_is_read_from_standard_input(running):
    gateway, account = running
    key = gateway.ctl("key", "create", account.name)["key"]
    gateway.world.keys.append(key)
    argv = [BUILD / "pinbindctl", "-s", gateway.admin_path, "key", "revoke", "-"]
    assert run(argv, input=key + "\n")[0] == 0
    wait_for(lambda: is_refused(gateway, key), "the revoked key is refused", 5)
    status, _, err = run(argv, input="\n")
    assert status == 1 and "a line with the key is expected on standard input" in err


def test_lists_name_what_was_made(running):
    gateway, account = running
    assert account.name in gateway.ctl("account", "list")
    assert account.app in gateway.ctl("app", "list", "--account", account.name)
    assert account.message in gateway.ctl("message", "list", "--account", account.name, "--app", account.app)
    gateway.ctl("app", "list", "--account", "nobody", status=1)
    gateway.ctl("app", "list", status=1)


def test_info_counts_what_happened(running):
    gateway, account = running
    before = gateway.ctl("info")
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")
    after = gateway.ctl("info")
    assert after["store"]["state"] == "UP" and after["store"]["commands"] > before["store"]["commands"]
    assert after["sends"]["sent"] == before["sends"]["sent"] + 1 and after["sends"]["open"] == 0
    assert after["ledger"]["receipts_matched"] == before["ledger"]["receipts_matched"] + 1
    assert after["carriers"]["receipts_open"] == 0 and after["clients"]["commands"] > before["clients"]["commands"]


def test_the_configuration_is_shown_without_its_secrets(running):
    gateway, _ = running
    code, out, _ = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "config"])
    assert code == 0 and "carrier acme: system_id" in out and "***" in out
    assert NodeSmsc.PASSWORD not in out


def test_people_see_when_things_were(running):
    gateway, account = running
    pin_id = account.send("385911234501")["pinId"]
    code, out, _ = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "pins", pin_id])
    assert code == 0 and f"pinId: {pin_id}\n" in out
    for name in ("createdAt", "expiresAt", "sentAt"):
        assert re.search(name + r": 20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z\n", out), out
    assert gateway.ctl("pins", pin_id)["createdAt"] > 1000000000000


@pytest.mark.parametrize("words, said", [
    (["account", "create", "Not A Name"], "an account's name has 1 to 32 of a-z"),
    (["account", "lists"], "no such command: account lists; pinbindctl --help lists them"),
    (["app", "create", "--account", "nobody", "--name", "x"], "there is no such account"),
    (["message", "list", "--account", "demo", "--app", "0" * 32], "there is no such account or application"),
    (["pins", "0" * 32], "no such PIN"),
])
def test_what_is_not_there_is_named(running, words, said):
    gateway, _ = running
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, *words])
    assert (code, out) == (1, "") and err.startswith(f"pinbindctl: {said}") and err.count("\n") == 1


@pytest.mark.parametrize("words", [
    ["binds", "foo"], ["account", "list", "x"], ["pins", "0" * 32, "1"], ["pins"], ["account", "create"],
    ["message", "create", "--account", "demo", "--app", "0" * 32, "--text", "{{pin}}", "--length", "3"],
    ["message", "create", "--account", "demo", "--app", "0" * 32, "--text", "{{pin}}", "--type", "numeric"],
    ["message", "create", "--account", "demo", "--app", "0" * 32, "--text", "{{pin}}", "--max-segments", "11"],
    ["message", "create", "--account", "demo", "--app", "0" * 32, "--text", "{{pin}}"],
    ["app", "create", "--account", "demo", "--name", "x", "--set", "nonsense=1"],
    ["app", "create", "--account", "demo", "--name", "x", "--set", "pinAttempts"],
])
def test_what_is_wrong_is_told_in_one_line(running, words):
    gateway, _ = running
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, *words])
    assert code == 1 and not out and err.startswith("pinbindctl: ") and len(err.splitlines()) == 1, (out, err)


def test_what_pinbindctl_would_not_send_is_refused(running):
    gateway, account = running
    new = {"account": account.name, "name": "x"}
    for options in ({**new, "set": [1]}, {**new, "set": [None]}, {**new, "name": 5}, {"account": [], "name": "x"}, []):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * SLOW)
            s.connect(str(gateway.admin_path))
            s.sendall(json.dumps({"command": "app create", "options": options}).encode() + b"\n")
            answer = json.loads(s.makefile().readline() or "null")
        assert answer and not answer["ok"] and answer["code"] == "BAD_REQUEST", (options, answer)


def taken(s, lines):
    """Octets of a sender that does not wait, until nobody takes more."""
    s.setblocking(False)
    n = 0
    try:
        while True:
            n += s.send(lines[n % len(lines):])
    except BlockingIOError:
        return n


def test_who_asks_without_reading_is_not_answered_ahead(running):
    gateway, _ = running
    ask = b'{"command":"config"}\n'
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as other:
        for s in (busy, other):
            s.settimeout(10 * SLOW)
            s.connect(str(gateway.admin_path))
        lines = other.makefile()

        def turn(count):  # so many turns of the loop at least
            for _ in range(count):
                other.sendall(b'{"command":"binds"}\n')
                assert json.loads(lines.readline())["ok"]
        taken(busy, ask * 1000)
        turn(500)
        taken(busy, ask * 1000)  # room for no more answers
        turn(2500)
        assert taken(busy, b" ") == 0
        busy.settimeout(10 * SLOW)
        answers = busy.makefile()
        first = answers.readline()
        assert json.loads(first)["ok"] and all(answers.readline() == first for _ in range(2000))
