"""Receipts and answers as the field sends them: each quirk of node-smpp that concerns a PIN."""
import pytest

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
