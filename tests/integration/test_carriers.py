"""Binds, carriers and fail-over: what the gateway does when an SMSC is away, refuses, is slow or silent."""
from concurrent.futures import ThreadPoolExecutor
import threading
import time

import pytest
import redis

import wire
from procs import wait_for
from world import Account, number, pin_in


def test_q57_a_refused_bind_is_not_tried_again_at_once(world):
    smsc = world.node("smsc", "--lock-after", "3")
    gateway = world.gateway({"acme": {"port": smsc.port, "password": "wrongpw"}}).start(bound=[])
    wait_for(lambda: smsc.events("bind", st=14), "a bind with the wrong password")
    wait_for(lambda: (gateway.binds()[0]["next_attempt_s"] or 0) > 200, lambda: gateway.binds())
    account = Account(gateway, "demo")
    started = time.monotonic()
    with pytest.raises(redis.ResponseError, match="^UNAVAILABLE"):
        account.send(number())
    assert time.monotonic() - started < 5
    assert len(smsc.events("bind")) == 1 and gateway.binds()[0]["state"] != "BOUND"
    assert "ESME_RINVPASWD" in gateway.log()


def test_q57_already_bound_waits_longer_than_network_trouble(world):
    smsc = world.node("smsc", "--max-binds", "1")
    gateway = world.gateway({"acme": {"port": smsc.port, "binds": 2}}).start(bound=[])
    wait_for(lambda: smsc.events("bind", st=5), "the second bind refused")
    wait_for(lambda: sorted(b["state"] == "BOUND" for b in gateway.binds()) == [False, True], lambda: gateway.binds())
    wait_for(lambda: max(b["next_attempt_s"] or 0 for b in gateway.binds()) > 10, lambda: gateway.binds())


def test_several_binds_share_the_messages(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "binds": 3}})
    assert len(smsc.events("bind", st=0)) == 3
    with ThreadPoolExecutor(10) as pool:
        sent = list(pool.map(lambda _: account.send(number()), range(60)))
    assert all(s["smsStatus"] == "MESSAGE_SENT" for s in sent)
    assert sum(b["submits"] for b in gateway.binds()) == 60
    assert all(b["submits"] > 0 for b in gateway.binds())
    for s in sent:
        account.wait_attempt(s["pinId"], "DELIVERED")


def test_the_smsc_restarts_between_send_and_verify(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    to = number()
    sent = account.send(to)
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    smsc.stop()
    wait_for(lambda: gateway.binds()[0]["state"] != "BOUND", "the loss of the bind")
    assert account.verify(sent["pinId"], pin)["verified"] == 1
    smsc.start()
    gateway.wait_bound("acme")
    again = account.send(number())
    account.wait_attempt(again["pinId"], "DELIVERED")


def test_q45_messages_in_flight_when_the_smsc_dies_are_in_doubt_and_never_repeated(world):
    smsc = world.node("smsc", "--resp-delay", "60000")
    gateway, account = world.start({"acme": smsc})
    numbers = [number() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(account.send, to) for to in numbers]
        for to in numbers:
            smsc.wait_submits(to)
        smsc.stop()
        sent = [a.result() for a in answers]
    assert {s["smsStatus"] for s in sent} == {"MESSAGE_SENT"}
    smsc.options = ()
    smsc.start()
    gateway.wait_bound("acme")
    for s, to in zip(sent, numbers):
        assert account.attempts(s["pinId"])[-1]["state"] == "IN_DOUBT"
        assert len(smsc.submits(to)) == 1
        assert account.verify(s["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def test_a_connection_cut_in_mid_flow_is_bound_again(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    for _ in range(3):
        binds = len(smsc.events("bind", st=0))
        smsc.relay.cut()
        wait_for(lambda: len(smsc.events("bind", st=0)) > binds, "a new bind")
        gateway.wait_bound("acme")
        account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


@pytest.mark.parametrize("quirk", ["close", "rst", pytest.param("badlen", id="q47-badlen"),
                                   pytest.param("hugelen", id="q47-hugelen")])
def test_a_lost_connection_is_bound_again(world, quirk):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    account.send(number(), q=quirk)
    wait_for(lambda: len(smsc.events("bind", st=0)) > 1, "a new bind", 20)
    gateway.wait_bound("acme")
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


def test_q58_an_unbind_of_the_smsc_is_answered(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    account.send(number(), q="unbind")
    wait_for(lambda: smsc.events("resp", cmd="unbind_resp", st=0), "unbind_resp")
    wait_for(lambda: gateway.binds()[0]["state"] != "BOUND", lambda: gateway.binds())


def test_the_first_of_two_carriers_is_down(world):
    second = world.node("second")
    gateway, account = world.start({"first": {"port": 1}, "second": second}, bound=["second"])
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert [a["carrier"] for a in account.attempts(sent["pinId"])][-1] == "second"
    assert account.verify(sent["pinId"], pin_in(second.submits(to)[0]["text"]))["verified"] == 1


def test_the_preferred_carrier_is_used_while_it_is_up(world):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": first, "second": second})
    for _ in range(5):
        account.send(number())
    assert second.events("submit") == [] and len(first.events("submit")) == 5
    first.stop()
    wait_for(lambda: [b["state"] for b in gateway.binds() if b["carrier"] == "first"] != ["BOUND"], "the first down")
    to = number()
    assert account.send(to)["smsStatus"] == "MESSAGE_SENT"
    second.wait_submits(to)


@pytest.mark.parametrize("status", ["0x08", "0x45", "0x64"])
def test_a_refusal_for_a_reason_of_the_route_goes_to_the_next_carrier(world, status):
    first, second = world.node("first", "--refuse", status), world.node("second")
    _, account = world.start({"first": first, "second": second})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "DELIVERED")
    attempts = account.attempts(sent["pinId"])
    assert [(a["carrier"], a["state"]) for a in attempts] == [("first", "REFUSED"), ("second", "DELIVERED")]
    assert pin_in(first.submits(to)[0]["text"]) == pin_in(second.submits(to)[0]["text"])
    assert account.verify(sent["pinId"], pin_in(second.submits(to)[0]["text"]))["verified"] == 1


def test_a_refusal_for_a_reason_of_the_subscriber_ends_the_flow(world):
    first, second = world.node("first", "--refuse", "0x0b"), world.node("second")
    _, account = world.start({"first": first, "second": second})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    assert [(a["carrier"], a["state"]) for a in account.attempts(sent["pinId"])] == [("first", "REFUSED")]
    assert second.submits(to) == []


@pytest.mark.parametrize("status", ["0x22", "0x0a", "0x407"])
def test_q40_a_status_that_no_table_has_goes_to_the_next_carrier(world, status):
    first, second = world.node("first", "--refuse", status), world.node("second")
    _, account = world.start({"first": first, "second": second})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert [a["carrier"] for a in account.attempts(sent["pinId"])] == ["first", "second"]


def test_q40_a_status_means_what_the_carriers_table_says(world):
    first, second = world.node("first", "--refuse", "0x407"), world.node("second")
    _, account = world.start({"first": {"port": first.port, "statuses": ["1=route", "0x0407=subscriber"]},
                              "second": second})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    assert [(a["carrier"], a["err"]) for a in account.attempts(sent["pinId"])] == [("first", "0x00000407")]
    assert second.submits(to) == []


def test_q40_an_operators_own_status_slows_the_bind_and_the_message_goes_out_again(world):
    smsc = world.node("smsc", "--throttle-every", "2", "--throttle-status", "0x401")
    gateway, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 100,
                                             "statuses": ["0x401=throttle"]}})
    for _ in range(4):
        to = number()
        sent = account.send(to)
        assert sent["smsStatus"] == "MESSAGE_SENT"
        account.wait_attempt(sent["pinId"], "DELIVERED")
    assert gateway.binds()[0]["throttled"] > 0


def test_when_every_carrier_refuses_nothing_was_sent(world):
    first, second = world.node("first", "--refuse", "0x08"), world.node("second", "--refuse", "0x08")
    _, account = world.start({"first": first, "second": second})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    assert len(first.submits(to)) == 1 and len(second.submits(to)) == 1
    assert account.status(sent["pinId"])["state"] == "NOT_SENT"


def test_q37_a_throttled_message_is_sent_again_and_arrives_once(world):
    smsc = world.node("smsc", "--throttle-every", "2")
    _, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 100}})
    for _ in range(3):
        to = number()
        sent = account.send(to)
        assert sent["smsStatus"] == "MESSAGE_SENT"
        account.wait_attempt(sent["pinId"], "DELIVERED")
        assert len(account.attempts(sent["pinId"])) == 1
    assert len(smsc.events("submit")) > 3


@pytest.mark.parametrize("quirk", [pytest.param("rthrottled", id="q37-rthrottled"),
                                   pytest.param("rmsgqful", id="q38-rmsgqful")])
def test_a_message_throttled_until_its_deadline_is_not_sent(world, quirk):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "throttle_ms": 100}}, top={"send_deadline_ms": 1500})
    to = number()
    started = time.monotonic()
    assert account.send(to, q=quirk)["smsStatus"] == "MESSAGE_NOT_SENT"
    assert time.monotonic() - started < 8
    assert len(smsc.submits(to)) >= 2
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"


def test_q43_no_answer_is_in_doubt_not_repeated_and_not_given_to_the_next_carrier(world):
    first, second = world.node("first"), world.node("second")
    _, account = world.start({"first": {"port": first.port, "response_timeout_s": 1}, "second": second},
                             top={"send_deadline_ms": 4000})
    to = number()
    sent = account.send(to, q="noresp")
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    assert len(first.submits(to)) == 1 and second.submits(to) == []
    assert account.verify(sent["pinId"], pin_in(first.submits(to)[0]["text"]))["verified"] == 1


@pytest.mark.parametrize("quirk", [pytest.param("wrongseq", id="q42-wrongseq"), pytest.param("nackz", id="q41-nackz")])
def test_an_answer_that_names_no_submit_is_ignored(world, quirk):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "response_timeout_s": 1}}, top={"send_deadline_ms": 4000})
    sent = account.send(number(), q=quirk)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    assert account.attempts(sent["pinId"])[0]["state"] in ("IN_DOUBT", "DELIVERED")


def test_q43_a_response_after_the_time_out_still_finds_its_pin(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    gateway, account = world.start({"acme": {"port": smsc.port, "response_timeout_s": 1}}, top={"send_deadline_ms": 3000})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    smsc.accept(held[0], "77")
    account.wait_attempt(sent["pinId"], "ACCEPTED")
    smsc.say(wire.deliver(900, to, "PINBIND", wire.receipt_text("77")))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert len(smsc.submits(to)) == 1


def test_q39_a_full_window_holds_messages_back_and_all_arrive(world):
    smsc = world.node("smsc", "--window", "5", "--resp-delay", "50", "--shuffle")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 5}})
    with ThreadPoolExecutor(30) as pool:
        sent = list(pool.map(lambda _: account.send(number()), range(60)))
    assert all(s["smsStatus"] == "MESSAGE_SENT" for s in sent)
    assert len(smsc.events("submit")) == 60  # none was throttled
    for s in sent:
        account.wait_attempt(s["pinId"], "DELIVERED")


def test_q61_a_silent_smsc_is_noticed_by_enquire_link(world):
    smsc = world.node("smsc", "--no-elink-resp")
    gateway, account = world.start({"acme": {"port": smsc.port, "enquire_link_s": 1, "response_timeout_s": 1}})
    wait_for(lambda: len(smsc.events("bind", st=0)) > 1, "a new bind after silence", 20)


def test_q60_enquire_links_of_the_smsc_are_answered_with_a_full_window(world):
    smsc = world.node("smsc", "--elink", "100", "--resp-delay", "3000")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 1}})
    thread = threading.Thread(target=lambda: account.send(number()))
    thread.start()
    wait_for(lambda: smsc.events("submit"), "a submit")
    before = len(smsc.events("resp", cmd="enquire_link_resp"))
    wait_for(lambda: len(smsc.events("resp", cmd="enquire_link_resp")) > before + 5, "enquire_link_resp", 3)
    thread.join()


def test_routes_pick_the_carrier_by_the_longest_prefix(world):
    one, two = world.node("one"), world.node("two")
    _, account = world.start({"one": one, "two": two}, routes={
        "default": {"prefixes": [""], "carriers": ["one"]}, "special": {"prefixes": ["38599", "4477"], "carriers": ["two"]}})
    for to, smsc in (("385991234567", two), ("385981234567", one), ("447712345678", two), ("447812345678", one)):
        account.send(to)
        smsc.wait_submits(to)
    assert len(one.events("submit")) == len(two.events("submit")) == 2


def test_a_number_that_no_route_takes_is_answered_and_nothing_is_sent(world):
    smsc = world.node("smsc")
    _, account = world.start({"acme": smsc}, routes={"only": {"prefixes": ["44"], "carriers": ["acme"]}})
    try:
        assert account.send("385911111111")["smsStatus"] == "MESSAGE_NOT_SENT"
    except Exception as e:
        assert str(e).startswith(("BAD_REQUEST", "UNAVAILABLE", "FORBIDDEN"))
    assert smsc.events("submit") == []


def test_hosts_are_tried_in_turn(world):
    smsc = world.node("smsc")
    keys = {"hosts": ["127.0.0.2", "127.0.0.1"], "port": smsc.port}
    gateway = world.gateway({"acme": keys})
    text = gateway.file.read_text().replace('    host = "127.0.0.1"\n', "")
    gateway.file.write_text(text)
    gateway.start()
    assert smsc.events("bind", st=0)
