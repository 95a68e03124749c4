"""Receipts and answers as the field sends them: each quirk of node-smpp that concerns a PIN."""
from concurrent.futures import ThreadPoolExecutor
import socket

import pytest
import requests

import wire
from procs import wait_for
from world import number, pin_in


def verify_sms(shared, sent, to):
    pin = pin_in(shared.smsc.wait_submits(to)[-1]["text"])
    assert shared.account.verify(sent["pinId"], pin)["verified"] == 1


def tlv(tag, value):
    return tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def receipt(message_id, to, text, seq=1, tail=b""):
    return wire.deliver(seq, to, "1971", f"id:{message_id} {text}".encode("latin1"), tail=tail)


def quirks(**numbers):
    """Triggers of node-smpp as parameters that bear the number of what they are the proof of."""
    return [pytest.param(quirk, id=f"q{n}-{quirk}") for quirk, n in numbers.items()]


@pytest.mark.parametrize("quirk", quirks(
    noterm=5, dlrfirst=6, dlr2=11, dlrdup=11, dlresm44=12, dlrtlv=14, dlrtext=15, dlrnoid=15, dlrdata=17, dlrpayload=18,
    dlrcase=19, dlrnosub=20, dlrorder=21, dlrsecs=22, dlryear=22, dlriso=22, dlrbin=26, dlrnec=29, dupresp=42,
    respslow=46, coalesce=46, unknowncmd=48, unknownresp=48, dlrvendor=49, dlrnul=50, dlrbadtlv=50, elinkflood=60,
    outbind=64, alert=64, congest=65))
def test_it_is_delivered_all_the_same(shared, quirk):
    to = number()
    sent = shared.account.send(to, q=quirk)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    shared.account.wait_attempt(sent["pinId"], "DELIVERED")
    verify_sms(shared, sent, to)
    assert len(shared.smsc.submits(to)) == 1
    assert shared.gateway.binds()[0]["state"] == "BOUND"


@pytest.mark.parametrize("quirk,state,err", [
    pytest.param("dlrundeliv", "UNDELIVERABLE", "069", id="q23-dlrundeliv"),
    pytest.param("dlrrej", "REJECTED", "00B", id="q23-dlrrej"),
    pytest.param("dlrfailed", "UNDELIVERABLE", "051", id="q24-dlrfailed")])
def test_what_was_not_delivered_is_recorded_with_its_error(shared, quirk, state, err):
    to = number()
    sent = shared.account.send(to, q=quirk)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    shared.account.wait_attempt(sent["pinId"], state)
    assert shared.account.attempts(sent["pinId"])[-1]["err"] == err
    verify_sms(shared, sent, to)  # the person may have it all the same


@pytest.mark.parametrize("quirk", ["nobody", "emptyid", "longid"])
def test_q34_a_response_with_no_usable_id_is_accepted(shared, quirk):
    to = number()
    sent = shared.account.send(to, q=quirk)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    assert shared.account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    verify_sms(shared, sent, to)


@pytest.mark.parametrize("quirk", ["dlrunknown", "mo", "moucs2", "molong", "mosar", "mopayload", "moflash",
                                   "mo7packed", "moat"])
def test_a_deliver_sm_that_matches_nothing_is_acknowledged(shared, quirk):
    to = number()
    before = len(shared.smsc.events("resp", cmd="deliver_sm_resp", st=0))
    sent = shared.account.send(to, q=quirk)
    wait_for(lambda: len(shared.smsc.events("resp", cmd="deliver_sm_resp", st=0)) > before, "a deliver_sm_resp ESME_ROK")
    if quirk == "dlrunknown":
        assert shared.account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    verify_sms(shared, sent, to)
    assert shared.gateway.binds()[0]["state"] == "BOUND"


@pytest.mark.parametrize("quirk", ["rinvdstadr", "vendorerr", "rsyserr", "rsubmitfail", "nack"])
def test_a_refusal_by_the_only_carrier_is_answered_not_sent(shared, quirk):
    to = number()
    sent = shared.account.send(to, q=quirk)
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    status = shared.account.status(sent["pinId"])
    assert status["state"] == "NOT_SENT" and status["attempts"][-1]["state"] == "REFUSED"
    pin = pin_in(shared.smsc.wait_submits(to)[-1]["text"])
    assert shared.account.verify(sent["pinId"], pin)["pinError"] == "TTL_EXPIRED"


def test_every_receipt_is_acknowledged_with_rok(shared):
    to = number()
    before = len(shared.smsc.events("resp", cmd="deliver_sm_resp"))
    sent = shared.account.send(to, q="dlr2")
    shared.account.wait_attempt(sent["pinId"], "DELIVERED")
    wait_for(lambda: len(shared.smsc.events("resp", cmd="deliver_sm_resp")) >= before + 2, "two deliver_sm_resp")
    assert all(e["st"] == 0 for e in shared.smsc.events("resp", cmd="deliver_sm_resp"))


@pytest.mark.parametrize("order", ["response-first", "receipt-first"])
@pytest.mark.parametrize("ids", ["dec", "hex", "HEX", *quirks(hexdec=1, dechex=1, hexpad=2, padded=2, uuid=4)])
def test_ids_match_however_the_smsc_writes_them(world, ids, order):
    smsc = world.node("smsc", "--id", ids, *(["--dlr-first"] if order == "receipt-first" else []))
    gateway, account = world.start({"acme": smsc})
    for _ in range(3):
        to = number()
        sent = account.send(to)
        assert sent["smsStatus"] == "MESSAGE_SENT"
        account.wait_attempt(sent["pinId"], "DELIVERED")
        assert account.verify(sent["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1
    assert "unmatched" not in gateway.log()


@pytest.mark.parametrize("mode,ids", [("string", "uuid"), ("decimal", "padded"), ("hex", "HEX"),
                                      ("resp-hex-dlr-dec", "hexdec"), ("resp-dec-dlr-hex", "dechex")])
def test_q1_ids_match_in_the_configured_form(world, mode, ids):
    smsc = world.node("smsc", "--id", ids)
    _, account = world.start({"acme": {"port": smsc.port, "message_id": mode}})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")


@pytest.mark.parametrize("how", ["text", "tlv", "both", "data_sm"])
def test_receipts_come_in_each_form(world, how):
    smsc = world.node("smsc", "--dlr", how)
    _, account = world.start({"acme": smsc})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")


@pytest.mark.parametrize("taken", [False, True])
def test_q13_a_receipt_text_without_esm_class_is_taken_where_the_carrier_says_so(world, taken):
    smsc = world.node("smsc", "--dlr", "text")
    _, account = world.start({"acme": {"port": smsc.port, "receipt_without_esm_class": taken}})
    sent = account.send(number(), q="dlresm0")
    wait_for(lambda: smsc.events("resp", cmd="deliver_sm_resp", st=0), "deliver_sm_resp ESME_ROK")
    account.wait_attempt(sent["pinId"], "DELIVERED" if taken else "ACCEPTED")


# --- ids

IDS = [  # of the response, of the receipt
    ("70BA8A69", "70ba8a69", 3), ("6aad5", "0006AAD5", 3), ("0001234", "1234", 2), ("4294967297", "100000001", 1),
    ("18446744073709551617", "18446744073709551617", 4), ("9" * 30, "9" * 30, 4), ("0a" * 17, "0A" * 17, 4),
    ("0118Z-0122I-2307B-0D0AE", "0118Z-0122I-2307B-0D0AE", 4), ("f47ac10b-58cc-4372-a567-0e02b2c3d479",) * 2 + (4,),
    ("x" * 80, "x" * 80, 5), ("7" * 200, "7" * 200, 5)]


@pytest.mark.parametrize("order", ["response-first", "receipt-first"])
@pytest.mark.parametrize("response,said", [pytest.param(a, b, id=f"q{n}-{a[:24]}") for a, b, n in IDS])
def test_an_id_is_the_same_however_it_is_written(world, response, said, order):
    def on_submit(smsc, sequence, fields):
        both = [wire.pdu(wire.SUBMIT_RESP, 0, sequence, response.encode() + b"\0"),
                receipt(said, fields["dst"], "stat:DELIVRD err:000")]
        smsc.say(*(both if order == "response-first" else both[::-1]))
    _, account = world.start({"acme": world.scripted(on_submit)})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert account.attempts(sent["pinId"])[0]["messageId"] == response  # as the operator gave it


def test_q4_ids_beyond_64_bits_are_not_one(world):
    ids = ["18446744073709551616", "18446744073709551617", "18446744073709551616000"]
    left = iter(ids)
    smsc = world.scripted(on_submit=lambda s, sequence, fields: s.accept(sequence, next(left)))
    _, account = world.start({"acme": {"port": smsc.port, "message_id": "decimal"}})
    pins = [(account.send(to)["pinId"], to) for to in (number(), number(), number())]
    smsc.say(receipt(ids[1], pins[1][1], "stat:DELIVRD"))
    account.wait_attempt(pins[1][0], "DELIVERED")
    assert [account.attempts(p)[0]["state"] for p, _ in pins] == ["ACCEPTED", "DELIVERED", "ACCEPTED"]


def test_q6_a_receipt_before_its_response_is_acknowledged_at_once(world):
    waiting = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: waiting.append((sequence, fields["dst"])))
    gateway, account = world.start({"acme": smsc}, http={})
    with ThreadPoolExecutor() as pool:
        to = number()
        send = pool.submit(account.send, to)
        wait_for(lambda: waiting, "the submit")
        smsc.say(receipt("a1", to, "stat:DELIVRD err:000"))
        assert smsc.wait_received(wire.DELIVER_RESP)[0][1] == 0
        assert not send.done()
        smsc.accept(waiting[0][0], "a1")
        sent = send.result()
    account.wait_attempt(sent["pinId"], "DELIVERED")
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    assert "\npinbind_receipts_parked_total 1\n" in page and "\npinbind_receipts_unmatched_total 0\n" in page


def test_q7_a_receipt_on_another_bind_finds_its_message(world):
    smsc = world.node("smsc")  # gives every receipt to the first bind
    gateway, account = world.start({"acme": {"port": smsc.port, "binds": 2}})
    for _ in range(4):
        account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    assert [b["submits"] for b in gateway.binds()] == [2, 2]
    assert sorted(b["receipts"] for b in gateway.binds()) == [0, 4]


@pytest.mark.parametrize("first", ["response", "receipt"])
def test_q7_a_receipt_at_another_gateway_finds_its_message(world, first):
    store = world.redis_store(world.redis().port)
    ids = {}

    def on_submit(smsc, sequence, fields):
        ids[fields["dst"]] = message_id = f"0{len(ids)}AB"
        if first == "receipt":
            other.say(receipt(message_id.lower(), fields["dst"], "stat:DELIVRD"))
            wait_for(lambda: len(other.received(wire.DELIVER_RESP)) == len(ids), "deliver_sm_resp")
        smsc.accept(sequence, message_id)
    one, other = world.scripted(on_submit), world.scripted()
    _, account = world.start({"acme": one}, name="one", **store)
    world.gateway({"acme": other}, name="two", **store).start()
    for _ in range(3):
        to = number()
        sent = account.send(to)
        if first == "response":
            other.say(receipt(ids[to].lower(), to, "stat:DELIVRD"))
        account.wait_attempt(sent["pinId"], "DELIVERED")


@pytest.mark.parametrize("mode", ["auto", "string", "decimal", "hex"])
def test_q9_an_id_that_the_smsc_uses_again_is_the_newest_messages(world, mode):
    left = iter(["7", "7", "7"])
    smsc = world.scripted(on_submit=lambda s, sequence, fields: s.accept(sequence, next(left)))
    gateway, account = world.start({"acme": {"port": smsc.port, "message_id": mode}})
    old = account.send(number())["pinId"]
    early = number()
    smsc.say(receipt(7, early, "stat:DELIVRD"))  # before its response, while the id is the first number's
    smsc.wait_received(wire.DELIVER_RESP)
    assert smsc.received(wire.DELIVER_RESP)[0][1] == 0
    account.wait_attempt(account.send(early)["pinId"], "DELIVERED")
    to = number()
    newest = account.send(to)["pinId"]
    smsc.say(receipt(7, to, "stat:DELIVRD", 2))
    account.wait_attempt(newest, "DELIVERED")
    assert account.attempts(old)[0]["state"] == "ACCEPTED"
    assert "receipt_unmatched" not in gateway.log()


def test_q10_a_receipt_for_an_unknown_id_is_taken_and_counted(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": smsc}, http={}, store_keys={"parked_s": 1})
    smsc.say(receipt("4711", number(), "stat:DELIVRD err:000"))
    assert smsc.wait_received(wire.DELIVER_RESP)[0][1] == 0
    gateway.wait_log("event=receipt_unmatched carrier=acme message_id=4711")
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    assert "\npinbind_receipts_unmatched_total 1\n" in page
    assert account.attempts(account.send(number())["pinId"])[0]["state"] == "ACCEPTED"


def test_q11_a_final_state_stands_and_an_intermediate_one_leaves_the_way_to_it(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": smsc}, http={})
    to = number()
    sent = account.send(to)
    for n, (text, state) in enumerate([("ENROUTE", "ENROUTE"), ("ACCEPTD", "ACCEPTED"), ("ACCEPTD", "ACCEPTED"),
                                       ("DELIVRD", "DELIVERED"), ("ENROUTE", "DELIVERED"), ("DELIVRD", "DELIVERED"),
                                       ("EXPIRED", "DELIVERED")], 1):
        smsc.say(receipt(1, to, f"stat:{text} err:000", n))
        smsc.wait_received(wire.DELIVER_RESP, n)
        account.wait_attempt(sent["pinId"], state)
    assert all(status == 0 for _, status, _, _ in smsc.received(wire.DELIVER_RESP))
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    assert "\npinbind_receipts_duplicate_total 4\n" in page


# --- forms

def test_q17_a_receipt_in_data_sm_is_answered_by_data_sm_resp(shared):
    before = len(shared.smsc.events("resp", cmd="data_sm_resp"))
    sent = shared.account.send(number(), q="dlrdata")
    shared.account.wait_attempt(sent["pinId"], "DELIVERED")
    answers = wait_for(lambda: shared.smsc.events("resp", cmd="data_sm_resp")[before:], "data_sm_resp")
    assert [a["st"] for a in answers] == [0]


def test_q32_registered_delivery_goes_out_as_it_is_configured(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port, "registered_delivery": 0x21}})
    for value in (0x21, 0, 1, 2, 3, 0x10, 0x11, 0x1f, 0xff):
        gateway.configure({"acme": {"port": smsc.port, "registered_delivery": value}})
        gateway.ctl("reload")
        to = number()
        account.send(to)
        assert smsc.submits(to)[0]["rd"] == value


def test_q33_a_receipt_that_was_not_asked_for_is_taken(world):
    smsc = world.scripted()
    _, account = world.start({"acme": {"port": smsc.port, "registered_delivery": 0}})
    to = number()
    sent = account.send(to)
    smsc.say(receipt(1, to, "stat:DELIVRD err:000"), receipt(2, number(), "stat:DELIVRD err:000", 2))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert [status for _, status, _, _ in smsc.wait_received(wire.DELIVER_RESP, 2)] == [0, 0]


# --- what an operator's own tables say

def receipt_lines(gateway):
    return [line for line in gateway.log().splitlines() if " event=receipt " in line]


def test_q24_a_stat_that_no_table_has_is_recorded_as_unknown_and_logged_as_it_stands(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": smsc})
    to = number()
    sent = account.send(to)
    smsc.say(receipt(1, to, "stat:Kaputt! err:0x1"))
    account.wait_attempt(sent["pinId"], "UNKNOWN")
    assert account.attempts(sent["pinId"])[-1]["err"] == "0x1"
    [line] = receipt_lines(gateway)
    assert " warn " in line and " stat=Kaputt! " in line and " err=0x1 " in line and " state=UNKNOWN " in line
    smsc.say(receipt(1, to, "stat:DELIVRD err:000", 2))  # it was not the end
    account.wait_attempt(sent["pinId"], "DELIVERED")


def test_q24_q25_q30_tables_of_a_carrier_count_and_a_reload_swaps_them(world):
    smsc = world.scripted()
    keys = {"port": smsc.port, "receipt_states": ["0=DELIVERED", "kaputt=UNDELIVERABLE"],
            "final_states": ["DELIVERED", "UNDELIVERABLE", "ACCEPTED"],
            "receipt_errors": ["00B=permanent:no such number: ever"]}
    gateway, account = world.start({"acme": keys})
    serial, last = iter(range(1, 100)), []

    def outcome(text, state):
        to, n = number(), next(serial)
        sent = account.send(to)
        last[:] = [sent["pinId"]]
        smsc.say(receipt(n, to, text, n))
        account.wait_attempt(sent["pinId"], state)
        return account.attempts(sent["pinId"])[-1]

    assert "doneAt" in outcome("stat:0", "DELIVERED")
    assert "doneAt" in outcome("stat:ACCEPTD", "ACCEPTED")
    assert "doneAt" not in outcome("stat:EXPIRED", "EXPIRED")
    attempt = outcome("stat:KAPUTT err:00b", "UNDELIVERABLE")
    assert "doneAt" in attempt and attempt["err"] == "00b"
    assert attempt["errText"] == "no such number: ever"
    assert gateway.ctl("pins", last[0])["attempts"][-1]["errText"] == "no such number: ever"
    line = receipt_lines(gateway)[-1]
    assert ' err=00b err_class=permanent err_text="no such number: ever" ' in line and " info " in line
    gateway.configure({"acme": {"port": smsc.port, "receipt_errors": ["00b=temporary:out of reach"]}})
    assert gateway.ctl("reload")["changed"] == ["acme"]
    assert account.attempts(last[0])[-1]["errText"] == "out of reach"
    assert "doneAt" not in outcome("stat:ACCEPTD", "ACCEPTED")
    assert "doneAt" not in outcome("stat:kaputt err:00B", "UNKNOWN")
    assert ' err=00B err_class=temporary err_text="out of reach" ' in receipt_lines(gateway)[-1]
    assert len(smsc.received(wire.BIND_TRX)) == 1


@pytest.mark.parametrize("dates,done", [("seconds", 1604196030000), ("year-first", 1293928200000)])
def test_q22_twelve_digits_are_read_as_the_carrier_says(world, dates, done):
    smsc = world.scripted()
    _, account = world.start({"acme": {"port": smsc.port, "receipt_dates": dates, "receipt_time_zone": "-03:30"}})
    to = number()
    sent = account.send(to)
    smsc.say(receipt(1, to, "done date:201101020030 stat:DELIVRD"))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert account.attempts(sent["pinId"])[-1]["doneAt"] == done + 210 * 60000


def test_q16_a_tlv_wins_over_the_text_and_that_is_told_once_per_connection(world):
    smsc = world.scripted()
    gateway, account = world.start({"acme": smsc})
    for n in range(1, 4):
        to = number()
        sent = account.send(to)
        smsc.say(receipt(f"{n}00", to, "stat:DELIVRD", n,
                         tlv(0x1E, f"{n}\0".encode()) + tlv(0x427, b"\5")))
        account.wait_attempt(sent["pinId"], "UNDELIVERABLE")
    assert gateway.log().count("event=receipt_conflict") == 1
    smsc.connections[-1].shutdown(socket.SHUT_RDWR)
    wait_for(lambda: len(smsc.received(wire.BIND_TRX)) == 2, "a new bind")
    gateway.wait_bound("acme")
    to = number()
    sent = account.send(to)
    smsc.say(receipt("9", to, "", 4, tlv(0x1E, b"4\0") + tlv(0x427, b"\2")))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert gateway.log().count("event=receipt_conflict field=id") == 2
