"""Receipts that bear no usable message id: found by user_message_reference, or by the number alone."""
import struct
import threading

import pytest

import wire
from procs import wait_for
from world import number, pin_in

REFERENCE = 0x0204


def tlv(tag, octets):
    return struct.pack(">HH", tag, len(octets)) + octets


def reference_of(submit):
    tag, length, value = struct.unpack(">HHH", submit["rest"])
    assert (tag, length) == (REFERENCE, 2)
    return value


def accept_without_an_id(smsc, sequence, fields):
    smsc.say(wire.pdu(wire.SUBMIT_RESP, 0, sequence, b"\0"))


def say_receipt(smsc, submit, text=b"stat:DELIVRD err:000", reference=None):
    tail = b"" if reference is None else tlv(REFERENCE, struct.pack(">H", reference))
    smsc.say(wire.deliver(next(smsc.sequences), submit["dst"], submit["src"], text, tail=tail))


def wait_acknowledged(smsc, count):
    answers = smsc.wait_received(wire.DELIVER_RESP, count)
    assert [status for _, status, _, _ in answers] == [0] * count


@pytest.fixture
def start(world):
    def start(match, on_submit=accept_without_an_id):
        smsc = world.scripted(on_submit)
        gateway, account = world.start({"acme": {"port": smsc.port, "receipt_match": match}})
        return smsc, gateway, account
    return start


def send(smsc, account, to):
    """(PIN's answer, the submit_sm)"""
    before = len(smsc.submits(to))
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    return sent, smsc.submits(to)[before]


@pytest.mark.parametrize("octets", ["both", "lower"])
def test_a_receipt_finds_its_message_by_reference_and_number(start, octets):
    smsc, gateway, account = start("reference")
    to = number()
    pins = [send(smsc, account, to) for _ in range(3)] + [send(smsc, account, number())]
    references = [reference_of(submit) for _, submit in pins]
    assert len(set(references)) == len(references)
    sent, submit = pins[1]
    say_receipt(smsc, submit, reference=references[1] & (0xffff if octets == "both" else 0xff))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    wait_acknowledged(smsc, 1)
    for other in (pins[0], pins[2], pins[3]):
        assert account.attempts(other[0]["pinId"])[-1]["state"] == "ACCEPTED"
    assert account.verify(pins[3][0]["pinId"], pin_in(pins[3][1]["text"]))["verified"] == 1
    assert "receipt_without_id" not in gateway.log()


def test_q6_a_receipt_by_reference_before_its_response(start):
    def then(smsc, sequence):
        smsc.wait_received(wire.DELIVER_RESP)
        accept_without_an_id(smsc, sequence, None)

    def receipt_first(smsc, sequence, fields):
        say_receipt(smsc, fields, b"id:00000000 stat:UNDELIV err:027", reference=reference_of(fields))
        threading.Thread(target=then, args=(smsc, sequence), daemon=True).start()
    smsc, _, account = start("reference", receipt_first)
    sent, _ = send(smsc, account, number())
    account.wait_attempt(sent["pinId"], "UNDELIVERABLE")
    assert account.attempts(sent["pinId"])[-1]["err"] == "027"


def test_ids_do_not_count_where_the_reference_does(start):
    """One id for all messages, and receipts with ids of something else."""
    smsc, _, account = start("reference", lambda smsc, sequence, fields: smsc.accept(sequence, "not_implemented"))
    to = number()
    first, second = send(smsc, account, to), send(smsc, account, to)
    say_receipt(smsc, second[1], b"id:00000001 stat:EXPIRED err:000", reference=reference_of(second[1]))
    account.wait_attempt(second[0]["pinId"], "EXPIRED")
    say_receipt(smsc, first[1], b"id:00000001 stat:DELIVRD err:000", reference=reference_of(first[1]))
    account.wait_attempt(first[0]["pinId"], "DELIVERED")
    assert account.attempts(first[0]["pinId"])[-1]["messageId"] == "not_implemented"  # as the operator gave it
    wait_acknowledged(smsc, 2)


@pytest.mark.parametrize("match", ["id", "reference"])
def test_a_receipt_that_has_not_what_is_asked_for_is_acknowledged_and_counted(start, match):
    smsc, gateway, account = start(match)
    sent, submit = send(smsc, account, number())
    say_receipt(smsc, submit)
    wait_acknowledged(smsc, 1)
    wait_for(lambda: gateway.log().count("receipt_without_id") == 1, "receipt_without_id in the log")
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"


def test_by_address_the_newest_message_to_the_number_is_meant(start):
    smsc, gateway, account = start("address")
    to = number()
    older, newer, other = send(smsc, account, to), send(smsc, account, to), send(smsc, account, number())
    assert not newer[1]["rest"]  # no reference is sent
    say_receipt(smsc, newer[1])
    account.wait_attempt(newer[0]["pinId"], "DELIVERED")
    for one in (older, other):
        assert account.attempts(one[0]["pinId"])[-1]["state"] == "ACCEPTED"
    say_receipt(smsc, older[1])  # the second one is not another message's: it changes nothing
    wait_acknowledged(smsc, 2)
    assert account.attempts(older[0]["pinId"])[-1]["state"] == "ACCEPTED"
    newest = send(smsc, account, to)
    say_receipt(smsc, newest[1], b"stat:UNDELIV")
    account.wait_attempt(newest[0]["pinId"], "UNDELIVERABLE")
    assert account.attempts(newer[0]["pinId"])[-1]["state"] == "DELIVERED"
    assert "receipt_without_id" not in gateway.log()


@pytest.mark.parametrize("match", ["reference", "address"])
def test_q43_a_receipt_ends_the_doubt_about_a_submit_that_was_never_answered(world, match):
    smsc = world.scripted(lambda smsc, sequence, fields: None)
    gateway, account = world.start({"acme": {"port": smsc.port, "receipt_match": match, "response_timeout_s": 1}})
    sent, submit = send(smsc, account, number())
    account.wait_attempt(sent["pinId"], "IN_DOUBT")
    say_receipt(smsc, submit, reference=reference_of(submit) if match == "reference" else None)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    wait_acknowledged(smsc, 1)
    assert len(smsc.submits(submit["dst"])) == 1
    assert account.verify(sent["pinId"], pin_in(submit["text"]))["verified"] == 1
