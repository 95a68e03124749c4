"""What node-smpp-server.mjs can do and no other file asks of it; and that each of its quirks is asked for somewhere."""
from concurrent.futures import ThreadPoolExecutor
import collections
import pathlib
import re
import subprocess
import time

import pytest

from procs import ROOT, SLOW, wait_for
from world import number, pin_in

HERE = pathlib.Path(__file__).parent


def quirks_of_the_server():
    out = subprocess.run(["node", ROOT / "tests/peers/node-smpp-server.mjs", "--list"],
                         check=True, capture_output=True, text=True, timeout=60).stdout
    return [line.split()[0] for line in out.splitlines()]


def test_each_quirk_of_the_server_is_asked_for_by_a_test():
    tests = "".join(p.read_text() for p in sorted(HERE.glob("test_*.py")))
    names = quirks_of_the_server()
    assert len(names) > 50
    # "name", q:name in a text, or name=NUMBER among the parameters of test_receipts.py
    assert [n for n in names if not re.search(rf'"{n}"|q:{n}\b|\b{n}=\d', tests)] == []


def send_all(account, numbers, q=""):
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda to: account.send(to, q=q), numbers))


def binds(smsc):
    return len(smsc.events("bind", st=0))


def test_q43_an_answer_that_comes_late_ends_the_doubt(world):
    smsc = world.node("smsc", "--late-ms", f"{2000 * SLOW:.0f}")
    gateway, account = world.start({"acme": {"port": smsc.port, "response_timeout_s": 1}}, top={"send_deadline_ms": 4000})
    to = number()
    sent = account.send(to, q="lateresp")
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    account.wait_attempt(sent["pinId"], "DELIVERED", seconds=10)
    assert len(smsc.submits(to)) == 1 and binds(smsc) == 1
    row = gateway.binds()[0]
    assert (row["in_doubt"], row["in_flight"]) == (1, 0)


def test_q61_a_peer_that_stops_reading_for_a_while_is_waited_for(world):
    smsc = world.node("smsc", "--stall-ms", "1000")
    gateway, account = world.start({"acme": {"port": smsc.port, "enquire_link_s": 1, "response_timeout_s": 10}},
                                   top={"send_deadline_ms": 20000})
    account.send(number(), q="stall")
    numbers = [number() for _ in range(5)]
    for sent in send_all(account, numbers):
        account.wait_attempt(sent["pinId"], "DELIVERED")
    assert all(len(smsc.submits(to)) == 1 for to in numbers) and binds(smsc) == 1


def test_q61_a_peer_that_reads_no_more_is_left_and_its_messages_are_in_doubt(world):
    smsc = world.node("smsc", "--stall-ms", "600000")
    gateway, account = world.start({"acme": {"port": smsc.port, "enquire_link_s": 1, "response_timeout_s": 1}},
                                   top={"send_deadline_ms": 10000})
    account.send(number(), q="stall")
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    wait_for(lambda: binds(smsc) > 1, "a new bind", 20)
    gateway.wait_bound("acme")
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"
    assert len(smsc.submits(to)) <= 1


def test_q60_enquire_link_keeps_a_bind_that_is_closed_when_idle(world):
    smsc = world.node("smsc", "--idle", f"{2500 * SLOW:.0f}")
    gateway, account = world.start({"acme": {"port": smsc.port, "enquire_link_s": 1}})
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    until = time.monotonic() + 4 * SLOW
    wait_for(lambda: time.monotonic() > until, "some silence", 10 * SLOW)
    assert binds(smsc) == 1 and not smsc.events("close")


def test_q60_a_bind_that_was_closed_when_idle_comes_back(world):
    smsc = world.node("smsc", "--idle", "300")
    gateway, account = world.start({"acme": smsc})
    wait_for(lambda: binds(smsc) > 2, "further binds", 20)
    gateway.wait_bound("acme")
    assert all(s["smsStatus"] == "MESSAGE_SENT" for s in send_all(account, [number()]))


def test_q39_an_smsc_that_closes_instead_of_throttling_gets_nothing_twice(world):
    smsc = world.node("smsc", "--drop-after", "3")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 1}}, top={"send_deadline_ms": 20000})
    numbers = [number() for _ in range(12)]
    answers = send_all(account, numbers)
    assert collections.Counter(a["smsStatus"] for a in answers) == {"MESSAGE_SENT": 12}
    assert binds(smsc) >= 3
    for to, sent in zip(numbers, answers):
        seen = smsc.submits(to)
        if seen:
            assert account.verify(sent["pinId"], pin_in(seen[0]["text"]))["verified"] == 1
        # one may have left just when the connection ended
        assert len(seen) == 1 or not seen and account.attempts(sent["pinId"])[-1]["state"] == "IN_DOUBT"


def test_q58_after_an_unbind_in_mid_flow_the_rest_goes_over_the_next_bind(world):
    smsc = world.node("smsc", "--unbind-after", "3", "--resp-delay", "50")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 2, "backoff_bound_s": 1}}, top={"send_deadline_ms": 30000})
    numbers = [number() for _ in range(8)]
    answers = send_all(account, numbers)
    assert {a["smsStatus"] for a in answers} == {"MESSAGE_SENT"}
    assert all(len(smsc.submits(to)) == 1 for to in numbers)
    assert smsc.events("resp", cmd="unbind_resp", st=0) and binds(smsc) >= 2


@pytest.mark.parametrize("options", [(), ("--shuffle",), ("--dlr-first",)], ids=["plain", "shuffle", "dlr-first"])
def test_q39_a_window_of_the_peer_is_kept_under_load(world, options):
    smsc = world.node("smsc", "--window", "3", "--resp-delay", "20", *options)
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 3}}, top={"send_deadline_ms": 20000})
    for sent in send_all(account, [number() for _ in range(15)]):
        account.wait_attempt(sent["pinId"], "DELIVERED")
    assert gateway.binds()[0]["throttled"] == 0 and len(smsc.events("submit")) == 15


def test_q37_one_bind_that_is_throttled_holds_up_no_other_carrier(world):
    slow, quick = world.node("slow", "--throttle-every", "1"), world.node("quick")
    gateway, account = world.start({"slow": {"port": slow.port, "throttle_ms": 200}, "quick": quick},
                                   top={"send_deadline_ms": 4000},
                                   routes={"slow": {"prefixes": ["38591"], "carriers": ["slow"]},
                                           "quick": {"prefixes": ["38598"], "carriers": ["quick"]}})
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(account.send, "385911234567")
        wait_for(lambda: slow.events("submit"), "the throttled one")
        for sent in send_all(account, [f"38598{n:07d}" for n in range(10)]):
            account.wait_attempt(sent["pinId"], "DELIVERED")
        assert not held.done()
        assert held.result()["smsStatus"] == "MESSAGE_NOT_SENT"
    assert len(slow.events("submit")) < 4000 / 200 + 2  # with pauses
