"""Answers to submits and binds as the field gives them, beside those that node-smpp's triggers cover."""
from concurrent.futures import ThreadPoolExecutor
import re
import struct

import pytest
import requests

import wire
from procs import wait_for
from world import Account, number, pin_in

TEXT_TLV = struct.pack(">HH", 0x001d, 5) + b"why\0\0"
ERROR_BODIES = {
    "none": b"",
    "an empty id": b"\0",
    "an id": b"0A000000A3D323A1\0",
    "an id without its NUL": b"0A000000",
    "TLVs in place of the id": TEXT_TLV,
    "an id and TLVs": b"7\0" + TEXT_TLV + struct.pack(">HHB", 0x0425, 1, 2),
    "a TLV cut short": struct.pack(">HH", 0x001d, 50) + b"x",
}


@pytest.mark.parametrize("body", ERROR_BODIES)
def test_q35_an_error_is_an_error_whatever_its_body(world, body):
    refusing = world.scripted(on_submit=lambda s, sequence, fields: s.say(
        wire.pdu(wire.SUBMIT_RESP, 0x45, sequence, ERROR_BODIES[body])))
    other = world.scripted()
    gateway, account = world.start({"refusing": refusing, "other": other})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    assert [(a["carrier"], a["state"]) for a in account.attempts(sent["pinId"])] == [
        ("refusing", "REFUSED"), ("other", "ACCEPTED")]
    assert account.attempts(sent["pinId"])[0]["err"] == "0x00000045"
    assert "messageId" not in account.attempts(sent["pinId"])[0]
    assert account.verify(sent["pinId"], pin_in(other.submits(to)[0]["text"]))["verified"] == 1


@pytest.mark.parametrize("body", [b"", b"\0", b"x", b"smsc\0", TEXT_TLV])
def test_q36_a_bind_refused_with_any_body_is_refused(world, body):
    tries = []

    def on_bind(smsc, sequence):
        tries.append(sequence)
        smsc.say(wire.pdu(wire.BIND_TRX_RESP, 0 if len(tries) > 1 else 0x0d, sequence, body))
    smsc = world.scripted(on_bind=on_bind)
    gateway = world.gateway({"acme": {"port": smsc.port, "backoff_bound_s": 1}}).start(bound=[])
    wait_for(lambda: "ESME_RBINDFAIL" in gateway.log(), lambda: gateway.log()[-1000:])
    gateway.wait_bound("acme")
    assert Account(gateway, "demo").send(number())["smsStatus"] == "MESSAGE_SENT"


def test_q41_a_generic_nack_fails_its_request_and_the_next_carrier_is_tried(world):
    first, second = world.node("first"), world.node("second")
    _, account = world.start({"first": first, "second": second})
    to = number()
    sent = account.send(to, q="nack")
    assert [(a["carrier"], a["state"]) for a in account.attempts(sent["pinId"])] == [
        ("first", "REFUSED"), ("second", "REFUSED")]
    assert len(first.submits(to)) == len(second.submits(to)) == 1


def test_q41_a_generic_nack_without_a_number_ends_nothing(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: (
        s.say(wire.pdu(wire.NACK, 3, 0)), s.accept(sequence)))
    gateway, account = world.start({"acme": smsc})
    assert account.attempts(account.send(number())["pinId"])[0]["state"] == "ACCEPTED"
    assert len(smsc.received(wire.BIND_TRX)) == 1 and "event=generic_nack" in gateway.log()


def test_q42_answers_with_other_numbers_are_counted_and_change_nothing(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: (
        s.say(*(wire.pdu(wire.SUBMIT_RESP, 0, n, b"404\0") for n in (0, sequence + 1, sequence + 100000, 0xffffffff))),
        s.accept(sequence, "1")))
    gateway, account = world.start({"acme": smsc}, http={})
    sent = account.send(number())
    assert account.attempts(sent["pinId"])[0]["messageId"] == "1"
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    assert re.findall(r"^pinbind_wrong_sequence_total.* (\d+)$", page, re.M) == ["4"]


def test_q43_a_submit_without_an_answer_frees_its_slot(world):
    silent = iter([True, True, False, False, False])
    smsc = world.scripted(on_submit=lambda s, sequence, fields: next(silent) or s.accept(sequence))
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 1, "response_timeout_s": 1}},
                                   top={"send_deadline_ms": 4000})
    doubtful = [account.send(number()) for _ in range(2)]
    assert {s["smsStatus"] for s in doubtful} == {"MESSAGE_SENT"}
    for s in doubtful:
        account.wait_attempt(s["pinId"], "IN_DOUBT")
    gateway.wait_bound("acme")
    assert account.attempts(account.send(number())["pinId"])[0]["state"] == "ACCEPTED"
    assert gateway.binds()[0]["in_flight"] == 0 and gateway.binds()[0]["in_doubt"] == 2
    assert len(smsc.texts) == 3


def test_q43_where_two_sms_are_better_than_none_the_next_carrier_is_tried(world):
    held = []
    first = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    second = world.node("second")
    gateway, account = world.start({
        "first": {"port": first.port, "response_timeout_s": 1, "in_doubt": "next"}, "second": second},
        top={"send_deadline_ms": 5000})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert [(a["carrier"], a["state"]) for a in account.attempts(sent["pinId"])] == [
        ("first", "IN_DOUBT"), ("second", "DELIVERED")]
    assert pin_in(first.submits(to)[0]["text"]) == pin_in(second.submits(to)[0]["text"])
    first.accept(held[0], "77")  # late, but it finds its attempt
    account.wait_attempt(sent["pinId"], "ACCEPTED", which=0)
    first.say(wire.deliver(900, to, "PINBIND", wire.receipt_text("77")))
    account.wait_attempt(sent["pinId"], "DELIVERED", which=0)
    assert len(first.submits(to)) == len(second.submits(to)) == 1


def test_q43_without_another_carrier_it_stays_in_doubt(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    gateway, account = world.start({"acme": {"port": smsc.port, "response_timeout_s": 1, "in_doubt": "next"}},
                                   top={"send_deadline_ms": 3000})
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    smsc.accept(held[0], "5")
    account.wait_attempt(sent["pinId"], "ACCEPTED")
    assert len(smsc.submits(to)) == 1


def test_q44_responses_in_any_order_belong_to_their_submits(world):
    smsc = world.node("smsc", "--shuffle", "--resp-delay", "20")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 20}})
    numbers = [number() for _ in range(40)]
    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(account.send, numbers))
    answered = [e["id"] for e in smsc.events("submit")]
    ids = {e["dst"]: e["id"] for e in smsc.events("submit")}
    assert len(set(answered)) == 40
    for s, to in zip(sent, numbers):
        account.wait_attempt(s["pinId"], "DELIVERED")
        assert account.attempts(s["pinId"])[0]["messageId"] == ids[to]
