"""pinbind-smsc itself, driven by a client on raw octets."""
import json
import os
import random
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from esme import (BIND_RX, BIND_TRX, BIND_TX, CANCEL, DATA, DELIVER, ENQUIRE, NACK, QUERY, REPLACE, RESP, SUBMIT,
                  UNBIND, Esme, cstr, data_body, pdu, submit_body, tlv)
from procs import BUILD, SLOW, Program, run, wait_for

PROGRAM = BUILD / "pinbind-smsc"
TO = "38591234567"


class Smsc:
    def __init__(self, folder, *options):
        self.program = Program(f"smsc-{len(os.listdir(folder))}", [
            PROGRAM, "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--receipt-delay-ms", "0",
            *options], folder)
        self.program.wait_text("\n", "out")
        first = self.events("listening")[0]
        self.port, self.web = first["smpp"], first["web"]

    def events(self, kind=None, **fields):
        lines = self.program.out().split("\n")[:-1]
        return [e for e in map(json.loads, lines)
                if (kind is None or e["ev"] == kind) and all(e.get(k) == v for k, v in fields.items())]

    def wait_event(self, kind, count=1, **fields):
        wait_for(lambda: len(self.events(kind, **fields)) >= count,
                 lambda: f"{count} {kind} {fields}: {self.events()}")
        return self.events(kind, **fields)

    def esme(self, mode=BIND_TRX, **kw):
        e = Esme(self.port)
        assert e.bind(mode, **kw).status == 0
        return e

    def get(self, path, host=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}", headers={"Host": host} if host else {})
        with urllib.request.urlopen(request, timeout=5) as r:
            return r.headers, r.read().decode()

    def inbox(self, to=None):
        return json.loads(self.get("/messages" + (f"?to={to}" if to else ""))[1])


@pytest.fixture(scope="module")
def shared():
    with tempfile.TemporaryDirectory() as folder:
        s = Smsc(folder, "--late-response-ms", f"{300 * SLOW:.0f}", "--receipt-retry-ms", "20",
                 "--receipt-tries", "3", "--receipt-timeout-ms", f"{700 * SLOW:.0f}", "--system-id", "pinbind", "--password", "password",
                 "--system-id", "second", "--password", "other")
        yield s
        assert s.program.stop() == 0, s.program.err()


@pytest.fixture
def smsc(shared):
    yield shared
    assert shared.program.popen.poll() is None, shared.program.err()


@pytest.fixture
def start():
    """Starts one with options of the test's own."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        yield lambda *options: started.append(Smsc(folder, *options)) or started[-1]
        for s in started:
            assert s.program.stop() == 0, s.program.err()


def last_submit(smsc):
    return smsc.events("submit")[-1]


# binds

@pytest.mark.parametrize("mode, name", [(BIND_TRX, "transceiver"), (BIND_TX, "transmitter"), (BIND_RX, "receiver")])
def test_a_bind_of_each_kind_is_answered_with_name_and_version(smsc, mode, name):
    with Esme(smsc.port) as e:
        answer = e.bind(mode)
        assert answer.status == 0 and answer.body == b"pinbind-smsc\0" + tlv(0x210, b"\x34")
        assert smsc.events("bind")[-1]["mode"] == name
        assert e.ask(UNBIND).status == 0
        assert e.take() is None


@pytest.mark.parametrize("kw, status", [({"password": "wrong"}, 0x0e), ({"system_id": "nobody"}, 0x0f),
                                        ({"system_id": "x" * 40}, 0x0f), ({"password": "other"}, 0x0e)])
def test_a_bind_with_wrong_credentials_is_refused_with_a_header(smsc, kw, status):
    with Esme(smsc.port) as e:
        answer = e.bind(**kw)
        assert (answer.status, answer.body) == (status, b"")
        assert "wrong" not in smsc.program.out()
        assert e.bind().status == 0  # the connection stays


def test_a_second_bind_on_a_connection_is_already_bound(smsc):
    with smsc.esme() as e:
        assert e.bind().status == 5


def test_a_submit_without_a_bind_or_on_a_receiver_is_refused(smsc):
    with Esme(smsc.port) as e:
        assert e.ask(SUBMIT, submit_body(TO, b"x")).status == 4
        e.bind(BIND_RX)
        assert e.ask(SUBMIT, submit_body(TO, b"x")).status == 4


# messages

def test_a_submit_is_answered_with_an_id_and_then_receipted(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"PIN 1234")
        answer = e.take()
        mid = answer.body[:-1].decode()
        assert answer.status == 0 and mid.isdigit()
        r = e.take_receipt()
        assert r.esm == 4 and (r.src, r.dst) == (TO.encode(), b"PINBIND")
        assert r.text.startswith(f"id:{mid} sub:001 dlvrd:001 submit date:".encode())
        assert b" stat:DELIVRD err:000 text:PIN 1234" in r.text
        assert r.tlvs == {0x1e: cstr(mid), 0x427: b"\2"}
        s = smsc.events("submit", id=mid)[0]
        assert (s["src"], s["dst"], s["text"], s["status"], s["system_id"]) == ("PINBIND", TO, "PIN 1234", 0, "pinbind")
        smsc.wait_event("receipt_resp", id=mid, status=0)
        kinds = [x["ev"] for x in smsc.events(id=mid)]
        assert kinds == ["submit", "response", "receipt", "receipt_resp"]


@pytest.mark.parametrize("registered, fault, expected", [
    (0, "", 0), (1, "", 1), (2, "", 0), (2, " fault:receipt-undeliv", 1), (3, "", 1), (3, " fault:receipt-undeliv", 0)])
def test_registered_delivery_decides_about_the_receipt(smsc, registered, fault, expected):
    with smsc.esme() as e:
        e.submit(TO, b"rd" + fault.encode(), registered=registered)
        assert e.take().status == 0
        if expected:
            e.take_receipt()
        assert e.is_silent(0.05)


def test_an_intermediate_notification_comes_before_the_receipt(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"steps", registered=0x11)
        assert e.take().status == 0
        first, last = e.take_receipt(), e.take_receipt()
        assert (first.esm, first.tlvs[0x427]) == (0x20, b"\1") and (last.esm, last.tlvs[0x427]) == (4, b"\2")


@pytest.mark.parametrize("dcs, octets, text", [
    (0, b"\x00\x1b\x65 \x1b<x\x1b>", "@€ [x]"), (3, b"\xe9\xa9", "é©"), (1, b"a\xe9", "a�"),
    (8, "PIN ž 😀".encode("utf-16-be"), "PIN ž 😀"), (8, b"\xd8\x3d\x00A\x00", "�A�"), (4, b"\x01\xff", "01FF"),
    (0xf0, b"flash", "flash"), (0x18, "ž".encode("utf-16-be"), "ž"), (0, b"a\x80", "a�"), (0, b"\x1b", "\xa0")],
    ids=["gsm", "latin1", "ascii", "ucs2", "lone-surrogate", "binary", "flash", "flash-ucs2", "beyond-gsm", "lone-escape"])
def test_the_text_is_decoded_as_its_data_coding_says(smsc, dcs, octets, text):
    with smsc.esme() as e:
        e.submit(TO, octets, dcs=dcs, registered=0)
        assert e.take().status == 0
        assert last_submit(smsc)["text"] == text
        assert smsc.inbox(TO)[-1]["text"] == text


def test_message_payload_and_data_sm_carry_long_texts(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"", tlvs=tlv(0x424, b"L" * 60000), registered=0)
        assert e.take().status == 0 and last_submit(smsc)["text"] == "L" * 60000
        e.send(DATA, data_body(TO, b"by data"))
        answer = e.take()
        assert answer.id == DATA | RESP and answer.status == 0
        assert e.take_receipt().tlvs[0x1e] == answer.body
        assert smsc.events("data")[-1]["text"] == "by data"


def test_parts_in_any_order_become_one_message_in_the_inbox(smsc):
    to = "385910000001"
    with smsc.esme() as e:
        for n in (3, 1, 2):
            e.submit(to, bytes([5, 0, 3, 0x2f, 3, n]) + b"part%d " % n, esm=0x40, registered=0)
            assert e.take().status == 0
            assert last_submit(smsc)["part"] == n and last_submit(smsc)["text"] == f"part{n} "
        for n in (2, 1):
            e.submit(to, b"sar%d " % n, registered=0,
                     tlvs=tlv(0x20c, b"\0\x09") + tlv(0x20e, b"\2") + tlv(0x20f, bytes([n])))
            assert e.take().status == 0
    box = smsc.inbox(to)
    assert [m["text"] for m in box] == ["part1 part2 part3 ", "sar1 sar2 "]
    assert [(m["parts"], m["have"]) for m in box] == [(3, 3), (2, 2)]


def test_seven_bit_text_is_unpacked_behind_its_header(start):
    smsc = start("--alphabet", "gsm-packed", "--receipts", "none")
    with smsc.esme() as e:
        e.submit(TO, bytes.fromhex("e8329bfd4697d9ec37"), registered=0)
        assert e.take().status == 0 and last_submit(smsc)["text"] == "hellohello"
        for pad in ("1a", "00"):  # seven bits left over
            e.submit(TO, bytes.fromhex("f3b2dc7676df" + pad), registered=0)
            assert e.take().status == 0 and len(last_submit(smsc)["text"]) == 7
        e.submit(TO, bytes([5, 0, 3, 1, 2, 1]) + bytes.fromhex("d06536fb0d"), esm=0x40, registered=0)
        assert e.take().status == 0 and last_submit(smsc)["text"] == "hello"


@pytest.mark.parametrize("body, status", [
    (submit_body("hello", b"x"), 0x0b), (submit_body("", b"x"), 0x0b), (submit_body("9" * 30, b"x"), 0x0b),
    (submit_body(TO, b"x", src="s" * 30), 0x0a), (submit_body(TO, b"x", src="a\x01b"), 0x0a),
    (submit_body(TO, b"x", validity="soon"), 0x62), (submit_body(TO, b"x")[:-1], 1), (b"", 0x0a),
    (submit_body(TO, b"x", tlvs=b"\4\x24\0\x09ab"), 0xc0), (submit_body(TO, b"\x20x", esm=0x40), 1),
    (submit_body(TO, b"x")[:-10], 0x61)],
    ids=["letters", "no-destination", "long-destination", "long-source", "control", "validity", "cut", "empty", "tlv",
         "udh", "cut-short"])
def test_a_submit_that_makes_no_sense_is_refused_and_the_bind_stays(smsc, body, status):
    with smsc.esme() as e:
        assert e.ask(SUBMIT, body).status == status
        assert e.ask(ENQUIRE).status == 0


def test_a_message_past_its_validity_expires(start):
    smsc = start("--receipt-delay-ms", "3600000")
    with smsc.esme() as e:
        e.submit(TO, b"short life", validity="000000000000000R")
        assert e.take().status == 0
        assert b"stat:EXPIRED" in e.take_receipt().text


def test_query_cancel_and_replace(start):
    smsc = start("--receipt-delay-ms", "3600000", "--id-mode", "uuid")
    with smsc.esme() as e:
        e.submit(TO, b"old")
        mid = e.take().body
        assert len(mid) == 37
        assert e.ask(QUERY, mid + b"\1\1" + cstr("PINBIND")).body == mid + b"\0" + b"\1\0"
        replace = mid + b"\1\1" + cstr("PINBIND") + b"\0\0\1\0\3new"
        assert e.ask(REPLACE, replace).status == 0
        assert smsc.inbox(TO)[-1]["text"] == "new"
        cancel = cstr("") + mid + b"\1\1" + cstr("PINBIND") + b"\1\1" + cstr(TO)
        assert e.ask(CANCEL, cancel).status == 0
        assert smsc.inbox(TO)[-1]["state"] == "DELETED"
        assert e.ask(CANCEL, cancel).status == 0x11
        assert e.ask(REPLACE, replace).status == 0x13
        answer = e.ask(QUERY, mid + b"\1\1" + cstr("PINBIND"))
        assert answer.body.endswith(b"+\0\4\0") and answer.status == 0
        for bad in (b"0\0", b"zz\0", b"1" * 36 + b"\0", b"\0"):
            assert e.ask(QUERY, bad + b"\1\1\0").status == 0x67


@pytest.mark.parametrize("mode, resp, receipt", [
    ("dec", "4660", "4660"), ("hex", "1234", "1234"), ("hex-dec", "1234", "0000004660"), ("dec-hex", "4660", "1234"),
    ("dec-padded", "4660", "0000004660")])
def test_ids_differ_between_answer_and_receipt_as_told(start, mode, resp, receipt):
    smsc = start("--id-mode", mode, "--first-id", "4660")
    with smsc.esme() as e:
        e.submit(TO, b"x")
        assert e.take().body == cstr(resp)
        r = e.take_receipt()
        assert r.text.startswith(f"id:{receipt} ".encode()) and r.tlvs[0x1e] == cstr(receipt)
        assert smsc.events("submit")[0]["id"] == resp


# receipts

def test_receipts_wait_until_their_account_binds_to_receive(smsc):
    with smsc.esme(BIND_TX) as tx:
        for n in range(3):
            tx.submit(TO, b"kept %d" % n)
        ids = [tx.take().body for _ in range(3)]
        smsc.wait_event("receipt_wait", count=3)
        assert tx.is_silent()
        with smsc.esme(BIND_RX, system_id="second", password="other") as stranger:
            assert stranger.is_silent()
        with smsc.esme(BIND_RX) as rx:
            assert [rx.take_receipt().tlvs[0x1e] for _ in range(3)] == ids


def test_a_receipt_under_way_when_the_bind_is_lost_comes_again(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"lost")
        mid = e.take().body
        assert e.take().id == DELIVER
    for _ in range(4):  # more often than --receipt-tries: nobody refused it
        with smsc.esme() as e:
            assert e.take().id == DELIVER
    with smsc.esme() as e:
        assert e.take_receipt(status=0x64).tlvs[0x1e] == mid
        assert e.take_receipt().tlvs[0x1e] == mid


def test_a_receipt_refused_for_now_is_repeated_and_then_given_up(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"later")
        mid = e.take().body
        assert e.take_receipt(status=0x64).tlvs[0x1e] == mid
        assert e.take_receipt(status=0).tlvs[0x1e] == mid
        e.submit(TO, b"never")
        mid = e.take().body[:-1].decode()
        for _ in range(3):
            e.take_receipt(status=0x64)
        smsc.wait_event("receipt_drop", id=mid, reason="temporary error")
        assert [x["in_ms"] for x in smsc.events("receipt_retry", id=mid)] == [20, 40]
        assert e.is_silent()


def test_a_receipt_refused_for_good_is_not_repeated(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"no")
        mid = e.take().body[:-1].decode()
        e.take_receipt(status=0x65)
        smsc.wait_event("receipt_drop", id=mid, reason="refused")
        assert e.is_silent()


def test_a_receipt_that_is_not_answered_is_repeated(smsc):
    with smsc.esme() as e:
        e.submit(TO, b"silence")
        mid = e.take().body
        assert e.take().id == DELIVER
        assert e.take_receipt().tlvs[0x1e] == mid


def test_the_share_of_receipts_is_as_told(start):
    smsc = start("--receipts", "30", "--seed", "7")
    with smsc.esme() as e:
        for _ in range(300):
            e.submit(TO, b"x")
        wait_for(lambda: len(smsc.events("receipt")) >= 60, "receipts")
        e.sock.close()
    assert 60 <= len(smsc.events("receipt")) <= 125
    smsc = start("--receipts", "none")
    with smsc.esme() as e:
        e.submit(TO, b"x")
        assert e.take().status == 0 and e.is_silent()


# faults

@pytest.mark.parametrize("name, status", [("throttled", 0x58), ("queue-full", 0x14), ("sys-err", 8),
                                          ("invalid-dest", 0x0b)])
def test_fault_refusing(smsc, name, status):
    with smsc.esme() as e:
        e.submit("385910000002", b"fault:" + name.encode())
        answer = e.take()
        assert (answer.id, answer.status, answer.body) == (SUBMIT | RESP, status, b"")
        assert last_submit(smsc)["status"] == status and last_submit(smsc)["id"] == ""
        assert smsc.events("fault")[-1]["name"] == name
        assert smsc.inbox("385910000002") == [] and e.is_silent(0.05)


def fault(e, name, **kw):
    return e.submit(TO, b"fault:" + name.encode(), **kw)


def test_fault_nack(smsc):
    with smsc.esme() as e:
        seq = fault(e, "nack")
        answer = e.take()
        assert (answer.id, answer.status, answer.seq) == (NACK, 3, seq)


def test_fault_no_response(smsc):
    with smsc.esme() as e:
        fault(e, "no-response")
        assert e.take_receipt().text.startswith(b"id:" + last_submit(smsc)["id"].encode())
        assert e.is_silent()


def test_fault_late_response(smsc):
    with smsc.esme() as e:
        late = fault(e, "late-response", registered=0)
        prompt = e.submit(TO, b"prompt", registered=0)
        assert [e.take().seq, e.take().seq] == [prompt, late]


def test_fault_no_body_and_empty_id(smsc):
    with smsc.esme() as e:
        fault(e, "no-body", registered=0)
        answer = e.take()
        assert (answer.status, answer.body) == (0, b"")
        fault(e, "empty-id", registered=0)
        answer = e.take()
        assert (answer.status, answer.body) == (0, b"\0")


def test_fault_wrong_seq_and_dup_response(smsc):
    with smsc.esme() as e:
        seq = fault(e, "wrong-seq", registered=0)
        assert e.take().seq == seq + 100000
        seq = fault(e, "dup-response", registered=0)
        first, second = e.take(), e.take()
        assert first.seq == second.seq == seq and first.body == second.body


def test_fault_close_after_taking_the_message(smsc):
    with smsc.esme() as e:
        fault(e, "close")
        assert e.take() is None
    with smsc.esme() as e:
        assert last_submit(smsc)["id"].encode() in e.take_receipt().text
    smsc.wait_event("close", reason="fault close")


def test_fault_reset(smsc):
    with smsc.esme() as e:
        fault(e, "reset", registered=0)
        with pytest.raises(ConnectionResetError):
            e.take()


def test_fault_slow_write_keeps_pdus_whole(smsc):
    with smsc.esme() as e:
        e.reads = 0
        slow = fault(e, "slow-write", registered=0)
        prompt = e.submit(TO, b"behind", registered=0)
        assert [e.take().seq, e.take().seq] == [slow, prompt]
        assert e.reads > 10


def test_fault_unknown_command_then_the_answer(smsc):
    with smsc.esme() as e:
        seq = fault(e, "unknown-command", registered=0)
        odd, answer = e.take(), e.take()
        assert odd.id == 0x10200 and answer.seq == seq
        e.send(NACK, status=3, seq=odd.seq)
        smsc.wait_event("generic_nack", seq=odd.seq, status=3)


def test_fault_bad_length(smsc):
    with smsc.esme() as e:
        fault(e, "bad-length", registered=0)
        with pytest.raises(ValueError):
            e.take()


def test_fault_unbind(smsc):
    with smsc.esme() as e:
        seq = fault(e, "unbind", registered=0)
        answer, request = e.take(), e.take()
        assert answer.seq == seq and request.id == UNBIND
        e.send(UNBIND | RESP, seq=request.seq)
        assert e.take() is None


def test_fault_no_enquire_resp_lasts_for_the_connection(smsc):
    with smsc.esme() as e:
        assert e.ask(ENQUIRE).status == 0
        fault(e, "no-enquire-resp", registered=0)
        assert e.take().status == 0
        e.send(ENQUIRE)
        assert e.is_silent()


def test_fault_receipt_first(smsc):
    with smsc.esme() as e:
        seq = fault(e, "receipt-first")
        r, answer = e.take_receipt(), e.take()
        assert answer.seq == seq and r.tlvs[0x1e] == answer.body


def test_fault_receipt_dup(smsc):
    with smsc.esme() as e:
        fault(e, "receipt-dup")
        e.take()
        assert e.take_receipt().text == e.take_receipt(status=0x64).text
        assert e.is_silent(0.2)  # the second answer changes nothing


@pytest.mark.parametrize("name, stat, state", [("receipt-undeliv", b"stat:UNDELIV err:069", b"\5"),
                                               ("receipt-rejected", b"stat:REJECTD err:00B", b"\x08")])
def test_fault_receipt_not_delivered(smsc, name, stat, state):
    with smsc.esme() as e:
        fault(e, name)
        e.take()
        r = e.take_receipt()
        assert stat in r.text and b"dlvrd:000" in r.text and r.tlvs[0x427] == state
        assert smsc.inbox(TO)[-1]["state"].encode() in stat


def test_fault_receipt_shapes(smsc):
    with smsc.esme() as e:
        fault(e, "receipt-tlv-only")
        mid = e.take().body
        r = e.take_receipt()
        assert r.text == b"" and r.tlvs == {0x1e: mid, 0x427: b"\2"}
        fault(e, "receipt-text-only")
        mid = e.take().body
        r = e.take_receipt()
        assert mid[:-1] in r.text and r.tlvs == {}
        fault(e, "receipt-data-sm")
        mid = e.take().body
        p = e.take()
        assert p.id == DATA
        e.send(DATA | RESP, b"\0", seq=p.seq)
        smsc.wait_event("receipt_resp", id=mid[:-1].decode(), status=0)
        fault(e, "receipt-unknown-id")
        mid = e.take().body
        assert mid[:-1] not in e.take_receipt().text.split()[0]


def test_faults_by_percentage_are_drawn_from_the_seed(start):
    options = ("--fault", "throttled:30", "--fault", "no-body:20", "--receipts", "none", "--seed", "5")
    runs = []
    for _ in range(2):
        smsc = start(*options)
        with smsc.esme() as e:
            for _ in range(400):
                e.submit(TO, b"x")
            runs.append([(p.status, len(p.body) > 0) for p in (e.take() for _ in range(400))])
    assert runs[0] == runs[1]
    throttled = sum(s == 0x58 for s, _ in runs[0])
    bare = sum(s == 0 and not body for s, body in runs[0])
    assert 85 <= throttled <= 155 and 50 <= bare <= 110


def test_every_fault_of_the_list_is_tested_here():
    _, out, _ = run([PROGRAM, "--list-faults"])
    names = [line.split()[0] for line in out.splitlines()]
    assert len(names) == 26
    with open(__file__, encoding="utf-8") as f:
        here = f.read()
    assert [n for n in names if f'"{n}"' not in here] == []


# the wire

def test_an_unknown_command_is_nacked_with_its_sequence(smsc):
    with smsc.esme() as e:
        e.send(0x21, b"whatever", seq=77)
        answer = e.take()
        assert (answer.id, answer.status, answer.seq) == (NACK, 3, 77)
        e.send(0x80000021, seq=78)
        assert e.ask(ENQUIRE).status == 0


@pytest.mark.parametrize("length", [0, 15, 66561, 0x7fffffff, 0xffffffff])
def test_a_lost_stream_is_nacked_and_closed(smsc, length):
    with smsc.esme() as e:
        e.sock.sendall(length.to_bytes(4, "big") + bytes(12))
        answer = e.take()
        assert (answer.id, answer.status, answer.seq) == (NACK, 2, 0)
        assert e.take() is None


def test_pdus_split_and_coalesced_are_read(smsc):
    with smsc.esme() as e:
        octets = pdu(ENQUIRE, 0x7fffffff) + pdu(ENQUIRE, 0) + pdu(SUBMIT, 0xffffffff, submit_body(TO, b"s", registered=0))
        for i in range(len(octets)):
            e.sock.sendall(octets[i:i + 1])
        assert [e.take().seq for _ in range(3)] == [0x7fffffff, 0, 0xffffffff]
        e.sock.sendall(octets * 200)
        assert [e.take().seq for _ in range(600)] == [0x7fffffff, 0, 0xffffffff] * 200


def test_garbage_does_not_stop_it(smsc):
    rng = random.Random(1)
    good = [pdu(c, 1, submit_body(TO, b"fault:close" if c == 9 else b"x", tlvs=tlv(0x424, b"p")))
            for c in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0x15, 0x103, NACK, NACK | 5, NACK | 0x103)]
    for _ in range(150):
        with Esme(smsc.port) as e:
            if rng.random() < 0.7:
                e.bind()
            octets = bytearray(b"".join(rng.choices(good, k=20)))
            for _ in range(rng.choice((0, 1, 3, 30))):
                octets[rng.randrange(len(octets))] = rng.randrange(256)
            try:
                e.sock.sendall(octets[:rng.randrange(1, len(octets))])
            except OSError:
                pass
    with smsc.esme(system_id="second", password="other") as e:
        assert e.ask(ENQUIRE).status == 0


def test_it_asks_an_idle_bind_and_closes_a_mute_one(start):
    smsc = start("--enquire-link-s", "1")
    with smsc.esme() as e:
        p = e.take()
        assert p.id == ENQUIRE
        assert e.take() is None
        smsc.wait_event("close", reason="no answer to enquire_link")


def test_a_reader_that_stalls_is_not_read_any_more(start):
    smsc = start("--inbox-numbers", "0", "--quiet")
    with smsc.esme() as e:
        octets = pdu(ENQUIRE, 1) * 4096
        e.sock.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 400 << 20:
                sent += e.sock.send(octets)
        rss = int(open(f"/proc/{smsc.program.pid}/statm").read().split()[1]) * 4096
        assert rss < 200 << 20
        left = sent // 16 * 16
        while left:
            left -= len(e.sock.recv(min(left, 1 << 20)))
        e.sock.sendall(octets[:16][sent % 16:])  # the rest of the one that was cut
        assert e.take().id == ENQUIRE | RESP
    with smsc.esme() as e:
        assert e.ask(ENQUIRE).status == 0


def test_a_full_memory_refuses_instead_of_forgetting(start):
    smsc = start("--max-messages", "64", "--receipt-delay-ms", "3600000")
    with smsc.esme() as e:
        for _ in range(70):
            e.submit(TO, b"x")
        assert [e.take().status for _ in range(70)] == [0] * 64 + [0x14] * 6


def test_it_ends_orderly_with_answers_and_receipts_to_come(start):
    smsc = start("--response-delay-ms", "3600000")
    with smsc.esme() as e:
        for _ in range(10):
            e.submit(TO, b"x")
        smsc.wait_event("submit", count=10)
        assert smsc.program.stop() == 0


# the page

def test_the_inbox_keeps_the_newest_messages_of_the_latest_numbers(start):
    smsc = start("--inbox-messages", "2", "--inbox-numbers", "2", "--receipts", "none")
    with smsc.esme() as e:
        for to, text in ((1, "a"), (2, "b"), (1, "c"), (1, "d"), (3, "e")):
            e.submit(f"+38591000000{to}", text.encode())
            assert e.take().status == 0
    assert [m["text"] for m in smsc.inbox("385910000001")] == ["c", "d"]
    assert [m["text"] for m in smsc.inbox("%2B385910000001")] == ["c", "d"]
    assert [m["text"] for m in smsc.inbox("00385910000001")] == ["c", "d"]
    assert smsc.inbox("385910000002") == []
    assert [m["text"] for m in smsc.inbox()] == ["c", "d", "e"]
    assert [n["to"] for n in json.loads(smsc.get("/numbers")[1])] == ["385910000003", "385910000001"]
    m = smsc.inbox("385910000003")[0]
    assert {k: m[k] for k in ("to", "from", "text", "state")} == {
        "to": "385910000003", "from": "PINBIND", "text": "e", "state": "DELIVRD"}
    assert m["id"] == smsc.events("submit")[-1]["id"] and m["at"] > 1.7e12


def test_the_page_is_self_contained_and_guarded(smsc):
    headers, page = smsc.get("/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    script = smsc.get("/app.js")[1]
    assert "http" not in page.replace("http-equiv", "") and "innerHTML" not in script
    assert json.loads(smsc.get("/healthz")[1])["status"] == "ok"
    for path, host, code in (("/nothing", None, 404), ("/messages", "evil.example", 403), ("/", "evil.example:80", 403)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            smsc.get(path, host)
        assert caught.value.code == code
    assert smsc.get("/healthz", "localhost:1")[1] and smsc.get("/healthz", "[::1]:1")[1]


def test_a_text_with_markup_reaches_the_page_as_data(smsc):
    with smsc.esme() as e:
        e.submit("385910000009", b'<script>alert("1")</script>', registered=0)
        assert e.take().status == 0
    headers, body = smsc.get("/messages?to=385910000009")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)[0]["text"] == '<script>alert("1")</script>'


def test_open_pages_hear_of_each_change(smsc):
    streams = [urllib.request.urlopen(f"http://127.0.0.1:{smsc.web}/events", timeout=5) for _ in range(3)]
    streams[0].close()
    for s in streams[1:]:
        assert s.headers["Content-Type"] == "text/event-stream"
        assert [s.readline() for _ in range(4)] == [b"retry: 1000\n", b"event: changed\n", b"data: 1\n", b"\n"]
    with smsc.esme() as e:
        e.submit(TO, b"news", registered=0)
        assert e.take().status == 0
    for s in streams[1:]:
        assert s.readline() == b"event: changed\n"
        s.close()


# the program

@pytest.mark.parametrize("options, words", [
    (["--receipts", "some"], "all, none or a percentage"), (["--fault", "throttled"], "NAME:PERCENT"),
    (["--fault", "thirst:1"], "--list-faults"), (["--fault", "close:60", "--fault", "reset:60"], "100 percent"),
    (["--listen", "0.0.0.0:0"], "--insecure-anywhere"), (["--web", "192.0.2.1:1"], "--insecure-anywhere"),
    (["--listen", "here"], "ADDR:PORT"), (["--listen", "127.0.0.1:70000"], "ADDR:PORT"),
    (["--receipt-delay-ms", "1s"], "whole number from 0 to 86400000"), (["--id-mode", "oct"], "hex-dec"),
    (["--system-id", "a"], "one --password"), (["--system-id", "a" * 17, "--password", "b"], "1 to 16"),
    (["--bogus"], "bogus"), (["extra"], "extra"), (["--seed"], "seed")])
def test_a_wrong_option_is_one_clear_line(options, words):
    code, out, err = run([PROGRAM, *options])
    assert code == 1 and out == "" and words in err and err.count("\n") == 1


def test_help_version_and_faults_are_told():
    assert "--receipt-delay-ms" in run([PROGRAM, "--help"])[1]
    assert run([PROGRAM, "--version"])[:2] == (0, "pinbind-smsc 0.1.0\n")


def test_a_taken_port_is_an_error(smsc):
    code, _, err = run([PROGRAM, "--listen", f"127.0.0.1:{smsc.port}", "--web", "none"])
    assert code == 1 and "cannot listen" in err
    code, _, err = run([PROGRAM, "--listen", "127.0.0.1:0", "--web", f"127.0.0.1:{smsc.web}"])
    assert code == 1 and "cannot listen" in err


def test_quiet_prints_the_first_and_the_last_line(start):
    smsc = start("--quiet")
    with smsc.esme() as e:
        e.submit(TO, b"x")
        assert e.take().status == 0
        e.take_receipt()
    assert smsc.program.stop() == 0
    first, last = smsc.events()
    assert first["ev"] == "listening" and (last["ev"], last["submits"], last["receipts"]) == ("stopped", 1, 1)


def test_it_ends_when_nobody_reads_its_output():
    p = subprocess.Popen([PROGRAM, "--listen", "127.0.0.1:0", "--web", "none"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    port = json.loads(p.stdout.readline())["smpp"]
    p.stdout.close()
    with Esme(port):
        assert p.wait(5) == 1
    assert b"standard output is gone" in p.stderr.read()
    p.stderr.close()
