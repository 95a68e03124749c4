"""Connections of the verify socket that end by halves, do not read, or whose key is withdrawn."""
import signal
import socket
import time

import pytest

import resp
import wire
from procs import SLOW, wait_for
from world import World, free_port, number


@pytest.fixture(scope="module")
def slow():
    """A gateway whose SMSC takes half a second."""
    w = World()
    port = free_port()
    gateway, account = w.start({"acme": w.node("smsc", "--resp-delay", "500")}, verify={
        "tcp": f"127.0.0.1:{port}", "idle_timeout_s": 2, "max_output": 64 << 20, "max_in_flight": 4})
    gateway.tcp = port
    yield gateway, account
    w.close(False)


def connections(gateway):
    return gateway.ctl("info")["clients"]["connections"]


@pytest.mark.parametrize("depth", [1, 3, 20])
def test_a_client_that_has_shut_its_sending_side_gets_its_answers(slow, depth):
    gateway, account = slow
    raw = resp.Raw(gateway.tcp)
    raw.send("AUTH", account.key)  # in the same breath: the key is looked up while the end is there already
    for _ in range(depth):
        raw.send("PIN.SEND", account.app, account.message, number(), "PLACEHOLDER", "q", ".")
    raw.send("PING")
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.read() == "OK"
    for _ in range(depth):
        answer = raw.read()
        assert dict(zip(answer[::2], answer[1::2]))["smsStatus"] == "MESSAGE_SENT"
    assert raw.read() == "PONG"
    assert raw.read() is None  # closed
    raw.close()


def test_a_half_request_and_the_end_are_the_end(slow):
    gateway, account = slow
    raw = resp.Raw(gateway.tcp)
    assert raw.call("AUTH", account.key) == "OK"
    raw.write(b"*2\r\n$4\r\nECHO\r\n$5\r\nab")
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.read() is None
    raw.close()


def test_a_client_that_quits_and_does_not_read_is_closed_in_the_end(slow):
    gateway, account = slow
    before = connections(gateway)
    raw = resp.Raw(gateway.tcp)
    assert raw.call("AUTH", account.key) == "OK"
    for _ in range(300):
        raw.send("ECHO", b"x" * 60000)
    raw.send("QUIT")
    wait_for(lambda: connections(gateway) <= before, "the connection ended", 8.0)
    raw.close()


def test_a_reader_that_is_slow_gets_everything(slow):
    gateway, account = slow
    raw = resp.Raw(gateway.tcp)
    assert raw.call("AUTH", account.key) == "OK"
    for _ in range(200):
        raw.send("ECHO", b"x" * 60000)
    raw.send("QUIT")
    for _ in range(200):
        assert len(raw.read()) == 60000
    assert raw.read() == "OK"
    assert raw.read() is None
    raw.close()


def test_a_revoked_key_is_dead_on_open_connections_too(slow):
    gateway, account = slow
    key = gateway.ctl("key", "create", account.name)["key"]
    gateway.world.keys.append(key)
    plain, hello = resp.Raw(gateway.tcp), resp.Raw(gateway.tcp)
    assert plain.call("AUTH", key) == "OK"
    assert hello.call("HELLO", "3", "AUTH", account.name, key)["proto"] == 3
    other = resp.Raw(gateway.tcp)
    assert other.call("AUTH", account.key) == "OK"
    ask = ("PIN.STATUS", "0" * 32)
    assert plain.call(*ask).startswith("-NOT_FOUND")
    gateway.ctl("key", "revoke", key)
    started = time.monotonic()
    for raw in (plain, hello):
        wait_for(lambda: raw.call(*ask).startswith("-NOAUTH"), "the key dead", 6.0)
    assert time.monotonic() - started < 6.0 * SLOW
    assert other.call(*ask).startswith("-NOT_FOUND")
    assert plain.call("AUTH", key).startswith("-WRONGPASS")
    assert plain.call("AUTH", account.key) == "OK"
    assert plain.call(*ask).startswith("-NOT_FOUND")
    for raw in (plain, hello, other):
        raw.close()


def test_an_empty_key_is_a_wrong_one(slow):
    raw = resp.Raw(slow[0].tcp)
    assert raw.call("AUTH", "").startswith("-WRONGPASS")
    assert raw.call("HELLO", "3", "AUTH", "default", "").startswith("-WRONGPASS")
    raw.close()


def test_a_drain_that_is_cut_short_still_answers_and_invites_no_second_sms(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": smsc})
    raw = gateway.raw()
    assert raw.call("AUTH", account.key) == "OK"
    raw.send("PIN.SEND", account.app, account.message, number(), "PLACEHOLDER", "q", ".")
    smsc.wait_received(wire.SUBMIT)
    gateway.program.signal(signal.SIGTERM)
    gateway.wait_log("event=draining")
    gateway.program.signal(signal.SIGTERM)
    assert "MESSAGE_SENT" in raw.read()
    assert gateway.program.wait() == 0
    raw.close()


def test_a_small_soft_limit_of_descriptors_does_not_stop_clients(world):
    gateway = world.gateway({"acme": world.node("smsc")}).start(under=["prlimit", "--nofile=64:"])
    clients = [gateway.raw() for _ in range(200)]
    for raw in clients:
        raw.send("HELLO")
    for raw in clients:
        assert raw.read().startswith("-NOAUTH")
    for raw in clients:
        raw.close()
