"""Flow control: rates that are kept, throttles that slow a bind down and lose nothing."""
from concurrent.futures import ThreadPoolExecutor
import collections
import threading
import time

import pytest
import requests

from procs import BUILD, SLOW, run, wait_for
from world import number

PATIENT = {"send_deadline_ms": 60000}


def send_many(account, count, clients=40, q=""):
    """The answers, in the order of asking."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: account.send(number(), q=q), range(count)))


def all_sent(answers):
    return collections.Counter(a["smsStatus"] for a in answers) == {"MESSAGE_SENT": len(answers)}


def by_second(smsc):
    """Submits in each second as the peer counts them: its own clock, whole seconds."""
    return collections.Counter(e["t"] // 1000 for e in smsc.events("submit"))


def metrics(gateway):
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in page.splitlines() if line[0] != "#"}


@pytest.mark.parametrize("binds, keys", [(1, {"rate": 20}), (2, {"rate_per_bind": 10})])
def test_q39_a_peer_whose_limit_is_known_has_nothing_to_throttle(world, binds, keys):
    limit = 20 // binds  # the peer counts by bind
    smsc = world.node("smsc", "--tps", str(limit))
    gateway, account = world.start({"acme": {"port": smsc.port, "binds": binds, **keys}}, top=PATIENT)
    started = time.monotonic()
    assert all_sent(send_many(account, 60))
    assert time.monotonic() - started < 6 * SLOW
    rows = gateway.binds()
    assert sum(b["throttled"] for b in rows) == 0 and sum(b["submits"] for b in rows) == 60
    assert [(b["rate"], b["rate_now"]) for b in rows] == [(limit, limit)] * binds
    assert max(by_second(smsc).values()) <= 20
    assert all(b["submits"] == 60 // binds for b in rows)


def test_q37_without_a_rate_it_settles_near_what_the_peer_permits_and_no_send_fails(world, record_property):
    limit, count = 20, 200
    smsc = world.node("smsc", "--tps", str(limit))
    gateway, account = world.start({"acme": smsc}, top=PATIENT)
    started = time.monotonic()
    assert all_sent(send_many(account, count))
    taken_s = time.monotonic() - started
    bind = gateway.binds()[0]
    record_property(f"a peer that permits {limit}/s", f"{count / taken_s:.1f}/s taken, {bind['throttled']} throttled")
    assert len(smsc.events("submit")) == count + bind["throttled"]
    assert count / taken_s > limit / 2 / SLOW
    assert 1 <= bind["throttled"] <= count / 4
    assert bind["rate"] == 0 and "event=bind_throttled" in gateway.log() and "event=bind_resumed" in gateway.log()


def test_q37_a_peer_that_throttles_now_and_then_gets_each_message_once(world):
    smsc = world.node("smsc", "--throttle-every", "10")
    gateway, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 50}}, top=PATIENT)
    answers = send_many(account, 40)
    assert all_sent(answers)
    for a in answers:
        account.wait_attempt(a["pinId"], "DELIVERED")
        assert len(account.attempts(a["pinId"])) == 1
    throttled = gateway.binds()[0]["throttled"]
    assert throttled >= 4 and len(smsc.events("submit")) == 40 + throttled


def test_q38_one_message_that_is_always_throttled_does_not_hold_up_the_others(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 100}}, top={"send_deadline_ms": 8000})
    with ThreadPoolExecutor(1) as pool:
        full = pool.submit(account.send, number(), "rmsgqful")
        wait_for(lambda: gateway.binds()[0]["throttled"] > 0, "the first throttle")
        assert all_sent(send_many(account, 4))
        assert not full.done()
        assert full.result()["smsStatus"] == "MESSAGE_NOT_SENT"
    assert gateway.binds()[0]["throttled"] < 40  # with pauses


def test_q38_a_recipient_whose_queue_stays_full_costs_the_others_one_pause(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 500}}, top={"send_deadline_ms": 20000})
    with ThreadPoolExecutor(1) as pool:
        full = pool.submit(account.send, number(), "rmsgqful")
        wait_for(lambda: gateway.binds()[0]["throttled"] > 0, "the first throttle")
        assert all_sent(send_many(account, 60, clients=60))
        assert not full.done()
        assert gateway.log().count("event=bind_throttled") == 1
        assert full.result()["smsStatus"] == "MESSAGE_NOT_SENT"


def test_who_waits_for_the_rate_until_the_deadline_is_not_sent(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "rate": 1}}, top={"send_deadline_ms": 2000})
    started = time.monotonic()
    answers = send_many(account, 8)
    assert time.monotonic() - started < 6 * SLOW
    outcomes = collections.Counter(a["smsStatus"] for a in answers)
    assert outcomes["MESSAGE_SENT"] == len(smsc.events("submit")) in (1, 2)
    assert outcomes["MESSAGE_NOT_SENT"] == 8 - outcomes["MESSAGE_SENT"]
    assert gateway.binds()[0]["throttled"] == 0


def test_q65_congestion_slows_without_a_throttle(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc}, top=PATIENT, http={})
    bind = '{carrier="acme",bind="0"}'
    before = metrics(gateway)
    assert before["pinbind_congestion_state" + bind] == -1 and before["pinbind_rate_current" + bind] == 0
    answers = []
    with ThreadPoolExecutor(1) as pool:
        congested = pool.submit(send_many, account, 12, 12, "congest")
        wait_for(lambda: gateway.binds()[0]["rate_now"] > 0, lambda: gateway.binds())
        after = metrics(gateway)
        assert after["pinbind_congestion_state" + bind] == 90
        answers = congested.result()
    assert all_sent(answers)
    assert gateway.binds()[0]["throttled"] == 0 and len(smsc.events("submit")) == 12
    assert "event=bind_congested" in gateway.log()


def test_a_rate_changes_in_place_under_load(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "rate": 5}}, top=PATIENT, http={})
    answers = []
    sender = threading.Thread(target=lambda: answers.extend(send_many(account, 100, clients=50)))
    sender.start()
    wait_for(lambda: len(smsc.events("submit")) >= 5, "some submits")
    waiting = metrics(gateway)
    assert waiting['pinbind_queue_messages{carrier="acme"}'] > 10
    assert waiting['pinbind_queue_oldest_seconds{carrier="acme"}'] > 0
    assert waiting['pinbind_rate_limit{carrier="acme",bind="0"}'] == 5
    code, table, _ = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "binds"])
    assert code == 0 and "RATE" in table and " 5/5 " in table
    gateway.configure({"acme": {"port": smsc.port, "rate": 50}}, top=PATIENT, http={})
    assert gateway.ctl("reload")["changed"] == ["acme"]
    changed = time.monotonic()
    sender.join()
    assert time.monotonic() - changed < 5 * SLOW  # 18 s at the old one
    assert all_sent(answers) and len(smsc.events("submit")) == 100
    assert max(by_second(smsc).values()) <= 50
    assert len(smsc.relay.recorders) == 1 and not smsc.events("unbind")
    after = metrics(gateway)
    assert after['pinbind_queue_messages{carrier="acme"}'] == 0 == after['pinbind_queue_oldest_seconds{carrier="acme"}']


@pytest.mark.parametrize("options, keys", [((), {"rate": 1}), (("--refuse", str(0x58)), {"throttle_ms": 1000, "window": 1})])
def test_a_pin_whose_life_ends_in_the_queue_goes_to_nobody(world, options, keys):
    smsc = world.node("smsc", *options)
    gateway, account = world.start({"acme": {"port": smsc.port, **keys}}, top=PATIENT)
    app = account.new_app({"pinTimeToLive": "1500ms"})
    message = account.new_message(app=app, text="Your code is {{pin}}")
    numbers = [number() for _ in range(6)]
    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda to: account.send(to, app=app, message=message), numbers))
    assert 1.4 < time.monotonic() - started < 10 * SLOW  # not the deadline, a minute
    unsent = [(to, a) for to, a in zip(numbers, answers) if a["smsStatus"] == "MESSAGE_NOT_SENT"]
    assert len(unsent) == 6 if options else 3 <= len(unsent) <= 5
    dropped = 0
    for to, a in unsent:
        status = account.status(a["pinId"])
        assert status["state"] == "NOT_SENT" and len(status["attempts"]) == 1
        dropped += status["attempts"][0]["state"] == "NOT_SENT"
        assert status["attempts"][0]["state"] == "REFUSED" or not smsc.submits(to)
    assert dropped >= 3 and gateway.log().count('reason="validity passed in the queue"') >= dropped
