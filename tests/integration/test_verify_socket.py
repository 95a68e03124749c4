"""The verify socket against what is no well-behaved client."""
import os
import random
import time

import pytest

import resp
from procs import wait_for
from world import World, free_port, number, pin_in


@pytest.fixture(scope="module")
def tcp():
    w = World()
    smsc = w.node("smsc")
    port = free_port()
    gateway, account = w.start({"acme": smsc}, verify={
        "tcp": f"127.0.0.1:{port}", "max_connections": 50, "max_in_flight": 16, "max_output": 65536, "idle_timeout_s": 2,
        "auth_failures_per_min": 1000})
    gateway.tcp, gateway.smsc = port, smsc
    yield gateway, account
    w.close(False)


@pytest.fixture
def anon(tcp):
    raw = resp.Raw(tcp[0].tcp)
    yield raw
    raw.close()


@pytest.fixture
def authed(tcp):
    gateway, account = tcp
    raw = resp.Raw(gateway.tcp)
    assert raw.call("AUTH", account.key) == "OK"
    yield raw
    raw.close()


@pytest.fixture(autouse=True)
def still_there(tcp):
    yield
    gateway, account = tcp
    assert gateway.program.popen.poll() is None, gateway.log()[-3000:]
    assert account.client().ping()


@pytest.mark.parametrize("octets", [
    b"*1\r\n+PING\r\n", b"*-2\r\n", b"*x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$x\r\nPING\r\n", b"*1\r\n$4\r\nPINGxx",
    b"*1\n$4\nPING\n*1\r\nPING\r\n", b"*1\r\n$99999999999999999999\r\n", b"*99999999999999999999\r\n", b"*1\r\n$-5\r\n",
    b"*1\r\n:5\r\n", b"*1\r\n$ 4\r\nPING\r\n", b"*+1\r\n$4\r\nPING\r\n"])
@pytest.mark.parametrize("authenticated", [False, True])
def test_malformed_input_gets_an_error_and_the_connection_ends(tcp, octets, authenticated):
    gateway, account = tcp
    raw = resp.Raw(gateway.tcp)
    if authenticated:
        assert raw.call("AUTH", account.key) == "OK"
    raw.write(octets)
    answer = raw.read()
    assert answer is None or str(answer).startswith("-ERR Protocol error"), answer
    assert raw.is_closed()


@pytest.mark.parametrize("octets", [b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"Host: 127.0.0.1\r\n", b"post /x\r\n"])
def test_a_browser_is_sent_away(anon, octets):
    anon.write(octets + b"PING\r\n" * 3)
    assert b"PONG" not in anon.file.read()


def test_inline_commands_work(authed):
    authed.write(b"PING\r\n")
    assert authed.read() == "PONG"
    authed.write(b'ECHO "two words"\r\nECHO \'x\'\r\n\r\nPING\n')
    assert [authed.read() for _ in range(3)] == ["two words", "x", "PONG"]


def test_exec_answers_what_was_queued_in_its_order(authed):
    assert authed.call("MULTI") == "OK"
    assert authed.call("ECHO", "one") == "QUEUED"
    assert authed.call("PIN.STATUS", "0" * 32) == "QUEUED"
    assert authed.call("PING") == "QUEUED"
    one, missing, pong = authed.call("EXEC")
    assert (one, pong) == ("one", "PONG") and missing.startswith("-NOT_FOUND")
    assert authed.call("EXEC").startswith("-ERR EXEC without MULTI")


def test_exec_runs_nothing_after_a_refused_command(authed):
    assert authed.call("MULTI") == "OK"
    assert authed.call("MULTI").startswith("-ERR MULTI calls can not be nested")
    assert authed.call("ECHO", "one") == "QUEUED"
    assert authed.call("NONSENSE").startswith("-ERR unknown command")
    assert authed.call("EXEC").startswith("-EXECABORT")
    assert authed.call("MULTI") == "OK"
    assert authed.call("HELLO", "3").startswith("-ERR")
    assert authed.call("DISCARD") == "OK"
    assert authed.call("DISCARD").startswith("-ERR DISCARD without MULTI")
    assert authed.call("PING") == "PONG"


def test_a_transaction_is_bounded_and_ends_with_reset(authed):
    assert authed.call("MULTI") == "OK"
    answers = [authed.call("PING") for _ in range(17)]
    assert answers[:16] == ["QUEUED"] * 16 and answers[16].startswith("-ERR too much")
    assert authed.call("EXEC").startswith("-EXECABORT")
    assert authed.call("MULTI") == "OK"
    assert authed.call("RESET") == "RESET"
    assert authed.call("EXEC").startswith("-NOAUTH")


def test_octet_by_octet_and_all_at_once_are_the_same(authed):
    octets = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n*1\r\n$4\r\nPING\r\n"
    for i in range(len(octets)):
        authed.write(octets[i:i + 1])
    assert [authed.read(), authed.read()] == ["hello", "PONG"]
    authed.write(octets * 100)
    assert [authed.read() for _ in range(200)] == ["hello", "PONG"] * 100


@pytest.mark.parametrize("words", [["x"] * 11, ["AUTH", "k" * 1100], ["PING", "x" * 2000]])
def test_before_auth_commands_are_small(anon, words):
    try:
        answer = anon.call(*words)
    except (ConnectionResetError, BrokenPipeError):
        answer = None
    assert answer is None or answer.startswith("-"), answer
    assert anon.is_closed()


def test_before_auth_nothing_but_the_handshake_is_answered(anon):
    for words in (["PIN.STATUS", "1" * 32], ["PIN.SEND", "a", "b", "c"], ["INFO"]):
        assert anon.call(*words).startswith("-NOAUTH"), words
    assert anon.call("HELLO", "3").startswith("-NOAUTH")
    assert anon.call("AUTH", "nonsense").startswith("-WRONGPASS")
    assert anon.call("AUTH").startswith("-ERR")


def test_hello_in_all_its_forms(tcp, anon):
    gateway, account = tcp
    assert anon.call("HELLO", "3", "AUTH", "default", "wrong").startswith("-WRONGPASS")
    hello = anon.call("HELLO", "3", "AUTH", "default", account.key)
    assert hello["proto"] == 3 and {"server", "version", "id", "mode", "role", "modules"} <= set(hello)
    assert anon.call("HELLO")["proto"] == 3
    flat = anon.call("HELLO", "2")
    assert flat[flat.index("proto") + 1] == 2
    assert anon.call("HELLO", "4").startswith("-NOPROTO")
    assert anon.call("HELLO", "x").startswith("-")
    assert anon.call("HELLO", "3", "SETNAME", "app") and anon.call("CLIENT", "GETNAME") == "app"
    assert anon.call("RESET") == "RESET"
    assert anon.call("PIN.STATUS", "1" * 32).startswith("-NOAUTH")


def test_auth_takes_the_accounts_name_or_default(tcp, anon):
    gateway, account = tcp
    assert anon.call("AUTH", "demo", account.key) == "OK"
    assert anon.call("AUTH", "default", account.key) == "OK"
    assert anon.call("AUTH", "other", account.key).startswith("-WRONGPASS")


@pytest.mark.parametrize("words,answer", [
    (["PING"], "PONG"), (["ping", "x"], "x"), (["ECHO", "y"], "y"), (["SELECT", "0"], "OK"),
    (["CLIENT", "SETNAME", "n"], "OK"), (["CLIENT", "SETINFO", "LIB-NAME", "z"], "OK")])
def test_commands_that_redis_clients_expect(authed, words, answer):
    assert authed.call(*words) == answer


def test_other_commands_that_redis_clients_expect(authed):
    assert isinstance(authed.call("CLIENT", "ID"), int)
    assert isinstance(authed.call("COMMAND"), list)
    assert isinstance(authed.call("COMMAND", "DOCS"), list)
    assert isinstance(authed.call("COMMAND", "COUNT"), int)
    assert "pinbind" in authed.call("INFO")
    assert authed.call("SELECT", "1").startswith("-ERR")
    assert authed.call("FLUSHALL").startswith("-ERR unknown command")
    assert authed.call("QUIT") == "OK"
    assert authed.is_closed()


def test_an_unknown_command_cannot_forge_an_answer(authed):
    answer = authed.call("X\r\n+OK\r\n" + "y" * 500)
    assert answer.startswith("-ERR unknown command") and len(answer) < 400
    assert authed.call("PING") == "PONG"


def test_answers_come_in_the_order_of_the_requests(tcp, authed):
    gateway, account = tcp
    to = number()
    authed.send("PIN.SEND", account.app, account.message, to, "PLACEHOLDER", "q", "q:respslow")
    for i in range(5):
        authed.send("ECHO", i)
    assert "MESSAGE_SENT" in authed.read()
    assert [authed.read() for _ in range(5)] == ["0", "1", "2", "3", "4"]


def test_a_slow_send_does_not_hold_up_the_work_of_a_later_verify(world):
    smsc = world.node("smsc", "--resp-delay", "2000")
    gateway, account = world.start({"acme": smsc})
    to = number()
    raw = resp.Raw(gateway.verify_path)
    assert raw.call("AUTH", account.key) == "OK"
    sent = account.send(to)
    pin = pin_in(smsc.submits(to)[0]["text"])
    raw.send("PIN.SEND", account.app, account.message, number(), "PLACEHOLDER", "q", ".")
    raw.send("PIN.VERIFY", sent["pinId"], pin)
    wait_for(lambda: account.status(sent["pinId"])["state"] == "VERIFIED", "the verify done", 1.5)
    assert "MESSAGE_SENT" in raw.read()
    answer = raw.read()
    assert answer[answer.index("verified") + 1] == 1


def test_an_argument_over_the_limit_is_refused(authed):
    authed.write(b"*2\r\n$4\r\nECHO\r\n$70000\r\n")
    assert str(authed.read()).startswith("-ERR Protocol error")
    assert authed.is_closed()


def test_an_inline_command_over_the_limit_is_refused(authed):
    try:
        authed.write(b"x" * 200000)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert authed.is_closed()


def test_too_many_arguments_are_refused(authed):
    authed.write(b"*1000\r\n")
    assert str(authed.read()).startswith("-ERR Protocol error")
    assert authed.is_closed()


def test_a_pipeline_deeper_than_the_limit_is_answered_whole(authed):
    for i in range(500):
        authed.send("ECHO", i)
    assert [authed.read() for _ in range(500)] == [str(i) for i in range(500)]


def test_a_reader_that_does_not_read_is_closed(tcp):
    gateway, account = tcp
    raw = resp.Raw(gateway.verify_path, seconds=20)
    assert raw.call("AUTH", account.key) == "OK"
    command = b"*2\r\n$4\r\nECHO\r\n$8000\r\n" + b"x" * 8000 + b"\r\n"
    started = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError, TimeoutError)):
        while time.monotonic() - started < 15:
            raw.write(command)
    raw.close()
    assert account.client().ping()


def test_a_connection_that_asks_nothing_is_closed(authed):
    started = time.monotonic()
    assert authed.is_closed()
    assert 1 < time.monotonic() - started < 10


def test_connections_have_a_limit_and_others_go_on(tcp):
    gateway, account = tcp
    open_ones = [resp.Raw(gateway.tcp) for _ in range(60)]
    closed = 0
    for raw in open_ones:
        try:
            if raw.call("AUTH", account.key) != "OK":
                closed += 1
        except OSError:
            closed += 1
    assert 10 <= closed < 60
    for raw in open_ones:
        raw.close()
    wait_for(lambda: _pings(gateway, account), "room again")


def _pings(gateway, account):
    try:
        return resp.client(gateway.tcp, account.key).ping()
    except Exception:
        return False


def test_clients_that_vanish_in_mid_request_harm_nobody(tcp):
    gateway, account = tcp
    for i in range(30):
        raw = resp.Raw(gateway.tcp)
        raw.call("AUTH", account.key)
        raw.send("PIN.SEND", account.app, account.message, number(), "PLACEHOLDER", "q", ".")
        if i % 2:
            raw.write(b"*3\r\n$4\r\nPI")
        raw.close()
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")


def test_noise_harms_nobody(tcp):
    gateway, account = tcp
    noise = random.Random(4711)
    words = [b"*", b"$", b"\r\n", b"3", b"PIN.SEND", b"AUTH", b"-1", b":", b"\0", b"+", b'"', b"\\x", b"\xff", b"HELLO", b" "]
    for _ in range(150):
        raw = resp.Raw(gateway.tcp)
        try:
            if noise.random() < 0.5:
                raw.call("AUTH", account.key)
            raw.write(b"".join(noise.choice(words) for _ in range(noise.randrange(1, 60))))
        except OSError:
            pass
        raw.close()
    assert account.client().ping()


def test_guessing_keys_is_slowed_down_and_a_known_key_still_passes(world):
    smsc = world.node("smsc")
    port = free_port()
    gateway, account = world.start({"acme": smsc}, verify={"tcp": f"127.0.0.1:{port}", "auth_failures_per_min": 3})
    answers = []
    for _ in range(6):
        raw = resp.Raw(port)
        answers.append(raw.call("AUTH", "pb_" + "0" * 64))
        raw.close()
    assert all(a is None or a.startswith("-") for a in answers)
    raw = resp.Raw(port)
    assert raw.call("AUTH", account.key) != "OK"  # unseen
    raw.close()
    assert account.client().ping()  # another peer: the Unix socket
    raw, stranger = resp.Raw(port), resp.Raw(port)
    assert raw.call("AUTH", account.key) == "OK"  # known to be good by now
    assert stranger.call("AUTH", "pb_" + "0" * 64).startswith("-TOO_MANY_REQUESTS")
    raw.close(), stranger.close()


def test_the_unix_socket_has_its_permissions(tcp):
    gateway, account = tcp
    assert oct(os.stat(gateway.verify_path).st_mode & 0o777) == "0o660"
    assert oct(os.stat(gateway.admin_path).st_mode & 0o777) == "0o600"
