"""Receipts and answers as the field sends them: each quirk of node-smpp that concerns a PIN."""
import socket

import pytest

import wire
from procs import wait_for
from world import number, pin_in


def verify_sms(shared, sent, to):
    pin = pin_in(shared.smsc.wait_submits(to)[-1]["text"])
    assert shared.account.verify(sent["pinId"], pin)["verified"] == 1


@pytest.mark.parametrize("quirk", [
    "dlrfirst", "dlrtext", "dlrtlv", "dlrdata", "dlrpayload", "dlr2", "dlrdup", "dlrcase", "dlrnosub", "dlrsecs",
    "dlryear", "dlriso", "dlrorder", "dlrbin", "dlrnul", "dlrbadtlv", "dlrvendor", "dlrnec", "dlrnoid", "dlresm44",
    "respslow", "coalesce", "congest", "dupresp", "noterm", "elinkflood", "unknowncmd", "unknownresp",
    "outbind", "alert"])
def test_it_is_delivered_all_the_same(shared, quirk):
    to = number()
    sent = shared.account.send(to, q=quirk)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    shared.account.wait_attempt(sent["pinId"], "DELIVERED")
    verify_sms(shared, sent, to)
    assert len(shared.smsc.submits(to)) == 1
    assert shared.gateway.binds()[0]["state"] == "BOUND"


@pytest.mark.parametrize("quirk,state,err", [
    ("dlrundeliv", "UNDELIVERABLE", "069"), ("dlrrej", "REJECTED", "00B"), ("dlrfailed", "UNDELIVERABLE", "051")])
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
@pytest.mark.parametrize("ids", ["dec", "hex", "HEX", "hexpad", "uuid", "hexdec", "dechex", "padded"])
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
def test_ids_match_in_the_configured_form(world, mode, ids):
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
def test_a_receipt_text_without_esm_class_is_taken_where_the_carrier_says_so(world, taken):
    smsc = world.node("smsc", "--dlr", "text")
    _, account = world.start({"acme": {"port": smsc.port, "receipt_without_esm_class": taken}})
    sent = account.send(number(), q="dlresm0")
    wait_for(lambda: smsc.events("resp", cmd="deliver_sm_resp", st=0), "deliver_sm_resp ESME_ROK")
    account.wait_attempt(sent["pinId"], "DELIVERED" if taken else "ACCEPTED")


# --- what an operator's own tables say

def tlv(tag, value):
    return tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value


def receipt(message_id, to, text, seq=1, tail=b""):
    return wire.deliver(seq, to, "1971", f"id:{message_id} {text}".encode("latin1"), tail=tail)


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
    smsc.say(receipt("9", to, "stat:DELIVRD", 4, tlv(0x1E, b"4\0")))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert gateway.log().count("event=receipt_conflict field=id") == 2
