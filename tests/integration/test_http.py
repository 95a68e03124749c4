"""The HTTP layer of the real daemon, octet by octet over a socket of our own."""
import resource
import socket
import time

import pytest

from procs import SLOW
from world import World

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def gateway():
    w = World()
    gateway, _ = w.start({"acme": w.node("smsc")},
                         http={"request_timeout_s": 1, "max_head": 1024, "max_body": 1024, "max_connections": 20})
    yield gateway
    w.close(False)


def talk(gateway, *pieces, pause=0.0, end=False):
    """Sends the pieces and reads until the gateway closes; returns the status of each answer."""
    with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=20 * SLOW) as s:
        for piece in pieces:
            s.sendall(piece)
            time.sleep(pause)
        if end:
            s.shutdown(socket.SHUT_WR)
        got = b""
        while part := s.recv(65536):
            got += part
    return [int(answer[:3]) for answer in got.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("request_, status", [
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"POST /2fa/2/pin HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    (b"POST /2fa/2/pin HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
    (b"POST /2fa/2/pin HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n", 400),
    (b"POST /2fa/2/pin HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST /2fa/2/pin HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n", 413),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1024, 431),
    (b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505),
])
def test_what_is_refused_ends_the_connection_and_nothing_behind_it_is_read(gateway, request_, status):
    assert talk(gateway, request_ + GET) == [status]


def test_a_health_check_of_http_1_0_without_a_host_is_answered(gateway):
    assert talk(gateway, b"OPTIONS /healthz HTTP/1.0\r\n\r\n") in ([200], [204], [405])
    assert talk(gateway, b"GET /healthz HTTP/1.0\r\n\r\n") == [200]


def test_pipelined_requests_are_all_answered_also_when_the_client_has_said_its_end(gateway):
    assert talk(gateway, GET * 50, end=True) == [200] * 50


def test_a_request_that_drips_is_408_after_its_time_in_all(gateway):
    start = time.monotonic()
    assert talk(gateway, b"GET /healthz HTTP/1.1\r\n", *[b"X", b": ", b"y\r\n"], pause=0.2) == [408]
    assert 0.9 < time.monotonic() - start < 5 * SLOW


def test_further_connections_than_there_may_be_are_closed(gateway):
    held = [socket.create_connection(("127.0.0.1", gateway.http_port)) for _ in range(20)]
    try:
        held[-1].sendall(GET)
        assert held[-1].recv(100).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=20 * SLOW) as s:
            assert s.recv(100) == b""
    finally:
        for s in held:
            s.close()


def test_without_descriptors_the_doors_wait_and_say_so_once_a_second(gateway):
    pid, held = gateway.program.popen.pid, []
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (30, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    try:
        held = [socket.create_connection(("127.0.0.1", gateway.http_port)) for _ in range(20)]
        gateway.wait_log('event=accept_failed door=http reason="Too many open files" count=1')
        gateway.wait_log("event=accept_failed", count=2)
        counts = [int(line.split("count=")[1]) for line in gateway.log().splitlines() if "accept_failed" in line]
        assert 5 <= counts[1] <= 11, "tries of a second, ten at most"
    finally:
        for s in held:
            s.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert talk(gateway, GET, end=True) == [200]
