"""A scripted SMSC sends what no SMSC should: the gateway answers or closes, and goes on."""
import random
import socket
import struct
import time

import pytest

import wire
from procs import SLOW, wait_for
from world import Account, number, pin_in


@pytest.fixture
def scripted(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": {"port": smsc.port, "bind_timeout_ms": 2000}})
    return smsc, gateway, account


def works(smsc, gateway, account):
    """A PIN goes out, its receipt comes in, it is verified."""
    gateway.wait_bound("acme")
    to = number()
    sent = account.send(to)
    message_id = account.attempts(sent["pinId"])[-1]["messageId"]
    smsc.say(wire.deliver(next(smsc.sequences) + 5000, to, "PINBIND", wire.receipt_text(message_id)))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert account.verify(sent["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def body(short_message_length=0, message=b"", tlvs=b""):
    return b"\0\1\0011\0\1\0012\0" + b"\4\0\0" + b"\0\0" + bytes([0, 0, 0, 0, short_message_length]) + message + tlvs


MALFORMED = {  # of either; the bind stays, the answer carries an error
    "no body": b"",
    "one octet": b"x",
    "no NUL anywhere": b"A" * 200,
    "ends inside the addresses": b"\0\1\0011234",
}
MALFORMED_DELIVER = {  # data_sm has no sm_length
    "sm_length beyond the end": body(255, b"short"),
    "ends before sm_length": b"\0\1\0011\0\1\0012\0\4\0\0\0\0",
}
TOLERATED = {  # answered ESME_ROK: field quirks that parse
    "q51-source of 300 octets": b"\0\1\1" + b"3" * 300 + b"\0\1\0012\0" + b"\4\0\0\0\0\0\0\0\0\0",
    "q50-TLV longer than the PDU": body(3, b"abc", b"\x00\x1e\xff\xffxy"),
    "q50-half a TLV header": body(3, b"abc", b"\x00\x1e\x00"),
    "q49-a thousand small TLVs": body(3, b"abc", b"\x14\x00\x00\x01z" * 1000),
    "id of 60000 octets": body(0, b"", b"\x00\x1e" + struct.pack(">H", 60000) + b"7" * 60000),
    "an empty receipt": body(0, b"", b"\x04\x27\x00\x00"),
    "message_state of four octets": body(0, b"", b"\x04\x27\x00\x04\xff\xff\xff\xff\x00\x1e\x00\x02" + b"7\0"),
    "q52-padded with zeros to a fixed width": body(3, b"abc").ljust(200, b"\0"),
    "q54-values that no table has": b"\0\xff\xff1\0\xfe\xfe2\0\x04\xff\xff\0\0\xff\xff\xff\xff\x03abc"
                                    b"\x03\x81\x00\x05\xff\xff\xff12\x00\x06\x00\x01\xee",
    "text of zeros": body(100, b"\0" * 100),
    "receipt with format characters": body(60, b"id:%s%n%x stat:%s%s%s%n err:%d".ljust(60)),
    "receipt with line ends": body(44, b"id:1\nlevel=error event=forged\r\nstat:\x1b[2J\n ".ljust(44)[:44]),
}


@pytest.mark.parametrize("command,octets", [
    *(pytest.param(c, o, id=f"{n}-{c:x}") for c in (wire.DELIVER, wire.DATA) for n, o in MALFORMED.items()),
    *(pytest.param(wire.DELIVER, o, id=n) for n, o in MALFORMED_DELIVER.items())])
def test_q53_a_malformed_request_is_answered_and_the_bind_stays(scripted, command, octets):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(command, 0, 4711, octets))
    answer = smsc.wait_received(command | 0x80000000)[0]
    assert answer[2] == 4711 and answer[1] != 0
    assert len(smsc.received(wire.BIND_TRX)) == 1
    works(smsc, gateway, account)


@pytest.mark.parametrize("name", TOLERATED)
def test_an_odd_request_is_taken_and_the_bind_stays(scripted, name):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(wire.DELIVER, 0, 4711, TOLERATED[name]))
    answer = smsc.wait_received(wire.DELIVER_RESP)[0]
    assert answer[1:3] == (0, 4711)
    assert len(smsc.received(wire.BIND_TRX)) == 1
    works(smsc, gateway, account)
    assert "\nforged" not in gateway.log() and " event=forged\n" not in gateway.log()


@pytest.mark.parametrize("octets", [
    struct.pack(">IIII", 15, 0x15, 0, 1), struct.pack(">IIII", 0, 0x15, 0, 1), struct.pack(">IIII", 0xffffffff, 5, 0, 1),
    struct.pack(">IIII", 0x7fffffff, 5, 0, 1), struct.pack(">IIII", 70000, 5, 0, 1), b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40])
def test_q47_lost_framing_is_nacked_and_closed_and_bound_again(scripted, octets):
    smsc, gateway, account = scripted
    smsc.say(octets)
    smsc.wait_received(wire.BIND_TRX, 2)
    nacks = smsc.received(wire.NACK)
    assert [n[1:3] for n in nacks] == [(2, 0)]
    works(smsc, gateway, account)


@pytest.mark.parametrize("command", [0x00000000, 0x00010200, 0x000000ff, 0x7fffffff, 0x00000100])
def test_q48_an_unknown_request_is_nacked_with_its_number(scripted, command):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(command, 0, 99, b"anything"))
    assert smsc.wait_received(wire.NACK)[0][1:3] == (3, 99)
    works(smsc, gateway, account)


@pytest.mark.parametrize("command", [wire.SUBMIT, wire.BIND_TRX, 0x3, 0x7, 0x8, 0x21])
def test_a_request_that_is_not_for_an_esme_is_refused(scripted, command):
    smsc, gateway, account = scripted
    before = len(smsc.log)
    smsc.say(wire.pdu(command, 0, 99, b"\0" * 40))
    wait_for(lambda: len(smsc.log) > before, "an answer")
    assert smsc.log[before][1] != 0 and smsc.log[before][2] == 99
    works(smsc, gateway, account)


@pytest.mark.parametrize("command", [wire.SUBMIT_RESP, wire.ENQUIRE_RESP, wire.UNBIND_RESP, wire.BIND_TRX_RESP,
                                     wire.DATA_RESP, wire.NACK, 0x80010200, 0x80000103])
@pytest.mark.parametrize("sequence", [0, 1, 0x7fffffff, 0xffffffff])
def test_q42_an_answer_to_nothing_is_ignored(scripted, command, sequence):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(command, 0, sequence, b"nobody asked\0"), wire.pdu(wire.ENQUIRE, 0, 5))
    smsc.wait_received(wire.ENQUIRE_RESP)
    assert len(smsc.received(wire.BIND_TRX)) == 1
    works(smsc, gateway, account)


@pytest.mark.parametrize("status", [8, 0xffffffff])
@pytest.mark.parametrize("command, octets", [(wire.ENQUIRE, b""), (wire.DELIVER, body(3, b"abc"))], ids=["enquire", "deliver"])
def test_q55_a_status_in_a_request_means_nothing(scripted, command, octets, status):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(command, status, 0x80000001, octets))
    assert smsc.wait_received(command | 0x80000000)[0][1:3] == (0, 0x80000001)
    works(smsc, gateway, account)


@pytest.mark.parametrize("sequence", [0, 0x80000000, 0xffffffff])
def test_q56_any_sequence_number_is_echoed(scripted, sequence):
    smsc, gateway, account = scripted
    smsc.say(wire.pdu(wire.ENQUIRE, 0, sequence))
    assert smsc.wait_received(wire.ENQUIRE_RESP)[0][2] == sequence


@pytest.mark.parametrize("answer", [
    wire.pdu(wire.BIND_TRX_RESP, 0, 1), wire.pdu(wire.BIND_TRX_RESP, 0, 1, b"no end"),
    wire.pdu(wire.BIND_TRX_RESP, 0, 1, b"x" * 500 + b"\0"), wire.pdu(wire.BIND_TRX_RESP, 0, 1, b"smsc".ljust(82, b"\0")), wire.pdu(wire.BIND_TRX_RESP, 0, 1, b"\0\x02\x10\x00\x09\x34")])
def test_an_odd_bind_response_is_taken(world, answer):
    smsc = world.scripted(on_bind=lambda s, sequence: s.say(answer[:12] + struct.pack(">I", sequence) + answer[16:]))
    gateway, account = world.start({"acme": smsc})
    works(smsc, gateway, account)


@pytest.mark.parametrize("reply", ["nothing", "close", "nack", "wrong sequence", "deliver first", "garbage"])
def test_a_bind_that_goes_wrong_is_tried_again(world, reply):
    tries = []

    def on_bind(smsc, sequence):
        tries.append(sequence)
        if len(tries) > 1:
            smsc.say(wire.pdu(wire.BIND_TRX_RESP, 0, sequence, b"x\0"))
        elif reply == "close":
            smsc.connections[-1].shutdown(socket.SHUT_RDWR)
        elif reply == "nack":
            smsc.say(wire.pdu(wire.NACK, 8, sequence))
        elif reply == "wrong sequence":
            smsc.say(wire.pdu(wire.BIND_TRX_RESP, 0, sequence + 1, b"x\0"))
        elif reply == "deliver first":
            smsc.say(wire.deliver(1, "1", "2", wire.receipt_text("1")))
        elif reply == "garbage":
            smsc.say(b"\xff" * 100)
    smsc = world.scripted(on_bind=on_bind)
    gateway = world.gateway({"acme": {"port": smsc.port, "bind_timeout_ms": 500, "backoff_bound_s": 1}}).start(bound=[])
    account = Account(gateway, "demo")
    wait_for(lambda: len(tries) > 1, lambda: f"a second bind; {gateway.log()[-1500:]}", 20)
    works(smsc, gateway, account)


def test_a_pin_sent_before_the_bind_is_up_is_not_lost_in_it(world):
    smsc = world.scripted(on_bind=lambda s, sequence: None)
    gateway = world.gateway({"acme": {"port": smsc.port}}).start(bound=[])
    account = Account(gateway, "demo")
    smsc.wait_received(wire.BIND_TRX)
    with pytest.raises(Exception, match="^UNAVAILABLE"):
        account.send(number())
    assert smsc.received(wire.SUBMIT) == []


def test_noise_on_a_bound_connection_never_ends_the_gateway(scripted):
    smsc, gateway, account = scripted
    noise = random.Random(1)
    commands = [wire.DELIVER, wire.DATA, wire.SUBMIT_RESP, wire.ENQUIRE, wire.NACK, wire.DATA_RESP, 0x102, 0xb, 0x10200]
    for _ in range(400):
        octets = bytes(noise.choice((0, 1, 4, 0x30, 0x41, 0xff, noise.randrange(256))) for _ in range(noise.randrange(120)))
        try:
            smsc.say(wire.pdu(noise.choice(commands), noise.choice((0, 8, 0xffffffff)), noise.randrange(1 << 32), octets))
        except OSError:
            gateway.wait_bound("acme")
    works(smsc, gateway, account)


def test_a_flood_of_receipts_is_answered_one_by_one(scripted):
    smsc, gateway, account = scripted
    count = 3000
    smsc.say(*(wire.deliver(i, "385911111111", "PINBIND", wire.receipt_text(f"999{i}")) for i in range(1, count + 1)))
    smsc.wait_received(wire.DELIVER_RESP, count, 30)
    assert sorted(e[2] for e in smsc.received(wire.DELIVER_RESP)) == list(range(1, count + 1))
    works(smsc, gateway, account)


def test_a_receipt_from_another_number_does_not_match(scripted):
    smsc, gateway, account = scripted
    to = number()
    sent = account.send(to)
    message_id = account.attempts(sent["pinId"])[-1]["messageId"]
    smsc.say(wire.deliver(7, number(), "PINBIND", wire.receipt_text(message_id, "UNDELIV", "001")))
    assert smsc.wait_received(wire.DELIVER_RESP)[0][1] == 0
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    smsc.say(wire.deliver(8, to, "PINBIND", wire.receipt_text(message_id)))
    account.wait_attempt(sent["pinId"], "DELIVERED")


def test_a_final_receipt_is_final(scripted):
    smsc, gateway, account = scripted
    to = number()
    sent = account.send(to)
    message_id = account.attempts(sent["pinId"])[-1]["messageId"]
    for sequence, stat in enumerate(("ENROUTE", "DELIVRD", "ENROUTE", "UNDELIV", "DELIVRD"), 1):
        esm_class = 0x20 if stat == "ENROUTE" else 4
        smsc.say(wire.deliver(sequence, to, "PINBIND", wire.receipt_text(message_id, stat), esm_class))
        smsc.wait_received(wire.DELIVER_RESP, sequence)
    assert account.attempts(sent["pinId"])[-1]["state"] == "DELIVERED"


def test_the_default_alphabet_goes_out_octet_by_octet(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": {"port": smsc.port, "source": "12345", "dest_ton": 2, "dest_npi": 8,
                                             "service_type": "OTP", "validity": "relative"}})
    message = account.new_message("--length", "8", text="Your code is {{pin}} @\u00a3\u20ac[\u00e8")
    to = number()
    account.client().execute_command("PIN.SEND", account.app, message, to)
    seen = smsc.submits(to)[0]
    assert seen["octets"].endswith(b" \x00\x01\x1b\x65\x1b\x3c\x04") and seen["dc"] == 0
    assert (seen["source_ton"], seen["source_npi"], seen["src"]) == (3, 0, "12345")
    assert (seen["dest_ton"], seen["dest_npi"], seen["service_type"]) == (2, 8, "OTP")
    assert seen["registered_delivery"] == 1 and seen["esm_class"] == 0 and seen["rest"] == b""
    assert seen["validity"].endswith("000R") and seen["validity"][:10] in ("0000000015", "0000000014")


@pytest.mark.parametrize("source,ton,npi", [("PINBIND", 5, 0), ("38591234567", 1, 1), ("12345", 3, 0)])
@pytest.mark.parametrize("validity", ["none", "relative", "absolute"])
def test_sender_and_validity_have_the_carriers_form(world, source, ton, npi, validity):
    smsc = world.scripted()
    gateway, account = world.start({"acme": {"port": smsc.port, "source": source, "validity": validity}})
    to = number()
    account.send(to)
    seen = smsc.submits(to)[0]
    assert (seen["src"], seen["source_ton"], seen["source_npi"]) == (source, ton, npi)
    if validity == "none":
        assert seen["validity"] == ""
    elif validity == "relative":
        assert len(seen["validity"]) == 16 and seen["validity"].endswith("R")
    else:
        assert len(seen["validity"]) == 16 and seen["validity"].endswith("00+")
        end = time.mktime(time.strptime(seen["validity"][:12], "%y%m%d%H%M%S")) - time.timezone
        assert 880 - 60 * SLOW < end - time.time() < 902


def test_q55_sequence_numbers_are_not_used_twice_while_in_flight(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 20}})
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(account.send, number()) for _ in range(20)]
        wait_for(lambda: len(held) == 20, lambda: held)
        assert len(set(held)) == 20
        for sequence in reversed(held):
            smsc.accept(sequence)
        assert all(a.result()["smsStatus"] == "MESSAGE_SENT" for a in answers)
