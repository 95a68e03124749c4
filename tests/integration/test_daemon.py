"""The programs themselves: start, drain, end, and what must never be seen."""
import json
import os
import re
import signal
import threading
import time
import urllib.request

import pytest
import redis

import wire
from procs import BUILD, SLOW, Program, run, wait_for
from world import Account, number, pin_in


def test_sigterm_drains(world):
    smsc = world.node("smsc", "--resp-delay", "1500")
    gateway, account = world.start({"acme": smsc})
    client = account.client()
    client.ping()
    answers = []
    to = number()
    thread = threading.Thread(target=lambda: answers.append(account.send(to)))
    thread.start()
    smsc.wait_submits(to)
    gateway.program.signal(signal.SIGTERM)
    gateway.wait_log("event=draining")
    with pytest.raises(redis.RedisError):
        account.send(number())
    thread.join()
    assert answers[0]["smsStatus"] == "MESSAGE_SENT"
    assert gateway.program.wait() == 0
    assert len(smsc.events("submit")) == 1
    wait_for(lambda: smsc.events("unbind"), "unbind")
    gateway.start()
    assert account.verify(answers[0]["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def test_sigterm_ends_within_its_bound_when_the_smsc_never_answers(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": smsc}, top={"drain_timeout_s": 2})
    to = number()
    thread = threading.Thread(target=lambda: _quiet(account, to))
    thread.start()
    smsc.wait_received(wire.SUBMIT)
    started = time.monotonic()
    gateway.program.signal(signal.SIGTERM)
    assert gateway.program.wait(20) == 0
    assert time.monotonic() - started < 10 * SLOW
    thread.join()


def _quiet(account, to):
    try:
        account.send(to)
    except (redis.RedisError, OSError):
        pass


def test_sigint_is_an_orderly_end_too(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    gateway.program.signal(signal.SIGINT)
    assert gateway.program.wait() == 0
    wait_for(lambda: smsc.events("unbind"), "unbind")


def test_the_embedded_redis_ends_with_an_orderly_end(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    assert gateway.stop() == 0
    left = [p for p in os.listdir("/proc") if p.isdigit() and _cwd(p).startswith(str(gateway.folder))]
    assert left == []


def _cwd(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def test_a_socket_left_by_a_killed_gateway_is_no_obstacle(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    gateway.kill()
    assert gateway.verify_path.exists()
    gateway.start()
    assert account.client().ping()


def test_a_socket_of_a_running_gateway_is_not_taken_away(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    other = world.gateway({"acme": smsc}, name="other")
    other.file.write_text(other.file.read_text().replace(str(other.verify_path), str(gateway.verify_path)))
    code, out, err = run([BUILD / "pinbindd", "-c", other.file])
    assert code == 1, err
    assert account.client().ping()


def test_start_and_stop_many_times(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    to = number()
    sent = account.send(to)
    for _ in range(5):
        assert gateway.stop() == 0
        gateway.start()
    assert account.verify(sent["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def test_a_limit_of_descriptors_that_clients_could_use_up_is_told(world):
    gateway = world.gateway({"acme": world.node("smsc")}, verify={"max_connections": 100}, http={"max_connections": 10})
    for limit in 430, 431:
        program = gateway.start(under=["prlimit", f"--nofile={limit}:{limit}"]).program
        gateway.stop()
        assert ("event=few_descriptors limit=430 wanted=431" in program.err()) == (limit == 430)


def test_programs_tell_their_version_and_usage():
    for name in ("pinbindd", "pinbindctl"):
        code, out, err = run([BUILD / name, "--version"])
        assert code == 0 and re.search(r"\d+\.\d+\.\d+", out), out + err
        code, out, err = run([BUILD / name, "--nonsense"])
        assert code not in (0, 99) and (out + err).strip()
    code, out, err = run([BUILD / "pinbindd"])
    assert code == 1 and err.strip()


def test_pinbindctl_says_when_no_daemon_is_there(tmp_path):
    code, out, err = run([BUILD / "pinbindctl", "-s", tmp_path / "none.sock", "binds"])
    assert code == 1 and len(err.strip().splitlines()) == 1 and "none.sock" in err


def test_a_pin_key_is_made_once_and_grows_by_generations(tmp_path):
    path = tmp_path / "pin.key"
    assert run([BUILD / "pinbindctl", "pinkey", "new", path])[0] == 0
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    first = path.read_text()
    code, out, err = run([BUILD / "pinbindctl", "pinkey", "new", path])
    assert code == 1 and path.read_text() == first
    assert run([BUILD / "pinbindctl", "pinkey", "add", path])[0] == 0
    rows = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert [len(row) for row in rows] == [3, 3] and rows[0][0] != rows[1][0]


def test_a_new_key_generation_does_not_lose_the_pins_of_the_old_one(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    to = number()
    old = account.send(to)
    old_pin = pin_in(smsc.submits(to)[0]["text"])
    assert gateway.stop() == 0
    assert run([BUILD / "pinbindctl", "pinkey", "add", gateway.key_file])[0] == 0
    gateway.start()
    to = number()
    new = account.send(to)
    assert new["pinId"][3] != old["pinId"][3]
    assert account.verify(old["pinId"], old_pin)["verified"] == 1
    assert account.verify(new["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def test_operators_see_binds_and_pins(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")
    row = gateway.ctl("binds")[0]
    assert {"carrier", "bind", "mode", "state", "since", "next_attempt_s", "window", "in_flight", "submits", "responses",
            "errors", "receipts", "rtt_ms"} <= set(row)
    assert (row["submits"], row["responses"], row["receipts"], row["errors"]) == (1, 1, 1, 0)
    assert gateway.ctl("pins", sent["pinId"])["state"] == "LIVE"
    gateway.ctl("pins", "0" * 32, status=1)
    gateway.ctl("account", "create", "demo", status=1)
    gateway.ctl("account", "create", "not a name", status=1)
    gateway.ctl("nonsense", status=1)
    gateway.ctl("message", "create", "--account", "demo", "--app", account.app, "--text", "no placeholder", status=1)
    gateway.ctl("app", "create", "--account", "demo", "--name", "x", "--set", "pinAttempts=many", status=1)
    plain = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "binds"])
    assert plain[0] == 0 and "acme" in plain[1] and "BOUND" in plain[1]


def test_no_core_dump_and_no_ptrace_by_others(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    limits = open(f"/proc/{gateway.program.pid}/limits").read()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_nothing_secret_is_in_redis_or_in_the_log(world):
    """Long PINs of letters and digits, which cannot stand anywhere by chance, over every path."""
    server = world.redis()
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": smsc}, **world.redis_store(server.port)).start()
    account = Account(gateway, "demo", template=("--type", "ALPHANUMERIC", "--length", "16"))
    pins = []
    for quirk in ("", "dlrfirst", "rinvdstadr", "noterm", "dlr2"):
        to = number()
        words = ("PIN.SEND", account.app, account.message, to, "PLACEHOLDER", "q", f"q:{quirk} visible-only-on-the-phone")
        pin_id = account.client().execute_command(*words)[1].decode()
        pin = pin_in(smsc.wait_submits(to)[0]["text"])
        pins.append(pin)
        for typed in ("WRONGTYPEDPIN", pin):
            account.verify(pin_id, typed)
    for raw in (b"AUTH demo " + account.key.encode() + b"x\r\n", b"*2\r\n$4\r\nAUTH\r\n$200\r\n" + b"SECRETGUESS" * 20):
        r = gateway.raw()
        r.write(raw)
        r.close()
    client = server.client()
    held = [repr(client.execute_command("DUMP", k)) + k.decode() for k in client.keys("*")]
    for k in client.keys("*"):
        kind = client.type(k)
        held.append(repr(client.hgetall(k) if kind == b"hash" else client.get(k) if kind == b"string" else ""))
    everything = "".join(held) + gateway.log()
    for secret in [*pins, account.key, "WRONGTYPEDPIN", "SECRETGUESS", "visible-only-on-the-phone", smsc.PASSWORD]:
        assert secret not in everything, secret
    key_octets = world.key_file.read_text().split()[-1]
    assert key_octets not in everything
    arguments = open(f"/proc/{gateway.program.pid}/cmdline").read() + open(f"/proc/{gateway.program.pid}/environ").read()
    assert smsc.PASSWORD not in arguments


def test_numbers_are_masked_in_the_log(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    account.verify(sent["pinId"], "1")
    assert to not in gateway.log()
    assert f"+{to[:5]}*****{to[-2:]}" in gateway.log()


def test_every_log_line_is_one_event(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    account.send(number(), q="close")
    gateway.stop()
    for line in gateway.log().splitlines():
        assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug)( id=\S+)? event=\w+( \w+=("[^"]*"|\S+))*$',
                        line), line


@pytest.mark.parametrize("bind", ["transceiver", "transmitter+receiver"])
def test_the_simulator_serves_a_gateway(world, bind):
    """pinbind-smsc is what the demo and load tests run against."""
    smsc = Program("sim", [BUILD / "pinbind-smsc", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--system-id", "tester",
                           "--password", "s3cretpw", "--receipt-delay-ms", "50"], world.folder)
    world.closing.append(smsc.stop)
    smsc.wait_text('"ev":"listening"', "out")
    port = json.loads(smsc.out().splitlines()[0])["smpp"]
    gateway, account = world.start({"sim": {"port": port, "bind": bind}})
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    submits = [json.loads(line) for line in smsc.out().splitlines() if '"submit"' in line]
    assert submits[0]["dst"] == to and submits[0]["src"] == "PINBIND"
    assert account.verify(sent["pinId"], pin_in(submits[0]["text"]))["verified"] == 1


# What the gateway is told of the operator, and what the operator is.
FORMS = [("udh", "gsm", "gsm"), ("sar", "gsm", "gsm"), ("payload", "gsm", "gsm"), ("udh", "gsm-packed", "gsm-packed"),
         ("sar", "gsm-packed", "gsm-packed"), ("payload", "gsm-packed", "gsm-packed"), ("udh", "latin1", "latin1"),
         ("udh", "latin1-3", "gsm")]


@pytest.mark.parametrize("way, alphabet, operator", FORMS)
def test_a_long_text_of_each_form_is_whole_in_the_inbox_of_the_simulator(world, way, alphabet, operator):
    smsc = Program("sim", [BUILD / "pinbind-smsc", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--system-id", "tester",
                           "--password", "s3cretpw", "--alphabet", operator], world.folder)
    world.closing.append(smsc.stop)
    smsc.wait_text('"ev":"listening"', "out")
    ports = json.loads(smsc.out().splitlines()[0])
    gateway, account = world.start({"sim": {"port": ports["smpp"], "long_message": way, "default_alphabet": alphabet}})
    sign = "@{\u00e8}" if alphabet.startswith("gsm") else "@\u00e8\u00e7"
    text = "Your code is {{pin}} : " + f"{sign} and so on, " * 18
    message = account.new_message("--max-segments", "4", text=text)
    for _ in range(2):
        to = number()
        sent = account.send(to, message=message)
        account.wait_attempt(sent["pinId"], "DELIVERED")
        with urllib.request.urlopen(f"http://127.0.0.1:{ports['web']}/messages?to={to}", timeout=5) as answer:
            box = json.load(answer)
        assert len(box) == 1 and box[0]["have"] == box[0]["parts"] == (1 if way == "payload" else 3)
        assert box[0]["text"] == text.replace("{{pin}}", pin_in(box[0]["text"]))
        assert account.verify(sent["pinId"], pin_in(box[0]["text"]))["verified"] == 1
