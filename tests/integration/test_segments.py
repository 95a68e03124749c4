"""Messages of several segments: whole at the handset, and delivered when the last part is (quirk 8)."""
from concurrent.futures import ThreadPoolExecutor
import itertools

import pytest
import redis

import resp
import wire
from procs import wait_for
from test_receipt_match import accept_without_an_id, reference_of, say_receipt, wait_acknowledged
from world import Account, number, pin_in

WAYS = ["udh", "sar", "payload"]
LENGTH = 8  # digits of a PIN
START = "Your code is "
PART = 67  # UCS-2 units of one of several


def long_text(*words, parts=3):
    """Takes so many parts; a word of (part, text) stands inside of that part."""
    text = START + "{{pin}} "
    at = len(START) + LENGTH + 1
    for part, word in sorted(words):
        text += "č" * ((part - 1) * PART + 30 - at) + f" {word} "
        at = (part - 1) * PART + 30 + len(word) + 2
    # a surrogate pair, which no cut may go through, then up to the middle of the last part
    return text + "\U0001f600" + "ž" * ((parts - 1) * PART + 40 - at - 2)


def message(account, *words, parts=3):
    return account.new_message("--length", str(LENGTH), "--max-segments", "3", text=long_text(*words, parts=parts))


def start(world, smsc, long_message="udh", top=None, **keys):
    return world.start({"acme": {"port": smsc.port, "long_message": long_message, **keys}}, top=top)


def send(account, to, *words):
    sent = account.send(to, message=message(account, *words))
    assert sent["smsStatus"] == "MESSAGE_SENT"
    return sent["pinId"]


def assert_verified(account, pin_id, text):
    assert account.verify(pin_id, pin_in(text))["verified"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_q08_a_long_text_arrives_whole_and_is_delivered_with_its_last_part(world, way):
    smsc = world.node("smsc")
    gateway, account = start(world, smsc, way)
    to = number()
    pin_id = send(account, to)
    account.wait_attempt(pin_id, "DELIVERED")
    parts = smsc.submits(to)
    text = "".join(p["text"] for p in parts)
    assert text == long_text().replace("{{pin}}", pin_in(text)) and len(pin_in(text)) == LENGTH
    attempt = account.attempts(pin_id)[-1]
    assert attempt["messageId"] == parts[0]["id"]
    if way == "payload":
        assert len(parts) == 1 and parts[0]["payload"] and parts[0]["part"] is None
        assert "segments" not in attempt
    else:
        assert [(p["part"]["way"], p["part"]["n"], p["part"]["total"]) for p in parts] == [(way, n, 3) for n in (1, 2, 3)]
        assert len({p["part"]["ref"] for p in parts}) == 1
        assert attempt["segments"] == attempt["segmentsDelivered"] == 3
    assert_verified(account, pin_id, text)
    assert len(smsc.submits(to)) == len(parts) and "unmatched" not in gateway.log()


def test_q08_a_message_is_not_delivered_before_its_last_segment_is(world):
    smsc = world.scripted()
    _, account = start(world, smsc)
    to = number()
    pin_id = send(account, to)
    for i, segment in enumerate([3, 1, 2]):
        assert account.attempts(pin_id)[-1]["state"] == "ACCEPTED"
        smsc.say(wire.deliver(i + 1, to, "1", wire.receipt_text(str(segment))))
        smsc.wait_received(wire.DELIVER_RESP, i + 1)
        assert account.attempts(pin_id)[-1]["segmentsDelivered"] == i + 1
    account.wait_attempt(pin_id, "DELIVERED")
    assert "doneAt" in account.attempts(pin_id)[-1]


@pytest.mark.parametrize("part", [1, 2, 3])
def test_q08_a_segment_that_is_not_delivered_ends_the_message(world, part):
    smsc = world.node("smsc")
    _, account = start(world, smsc)
    to = number()
    pin_id = send(account, to, (part, "q:dlrundeliv"))
    assert [s["n"] for s in (p["part"] for p in smsc.submits(to))] == [1, 2, 3]
    assert [p.get("q") for p in smsc.submits(to)] == ["dlrundeliv" if n == part else None for n in (1, 2, 3)]
    account.wait_attempt(pin_id, "UNDELIVERABLE")
    assert account.attempts(pin_id)[-1]["err"] == "069"
    # the others come after it and change nothing
    wait_for(lambda: len(smsc.events("resp", cmd="deliver_sm_resp", st=0)) >= 3, "three deliver_sm_resp ESME_ROK")
    assert account.attempts(pin_id)[-1]["state"] == "UNDELIVERABLE"


@pytest.mark.parametrize("quirk", ["dlrfirst", "dlr2", "dlrdup", "dlrdata", "dlrtlv", "coalesce", "congest", "dupresp"])
def test_q08_each_part_has_its_quirks(world, quirk):
    smsc = world.node("smsc")
    gateway, account = start(world, smsc)
    for part in (1, 2, 3):
        to = number()
        pin_id = send(account, to, (part, f"q:{quirk}"))
        account.wait_attempt(pin_id, "DELIVERED")
        assert len(smsc.submits(to)) == 3
    assert "unmatched" not in gateway.log()


@pytest.mark.parametrize("ids", ["hex", "HEX", "hexdec", "dechex", "padded", "uuid"])
@pytest.mark.parametrize("order", ["response-first", "receipt-first"])
def test_q08_ids_of_parts_match_however_the_smsc_writes_them(world, ids, order):
    smsc = world.node("smsc", "--id", ids, *(["--dlr-first"] if order == "receipt-first" else []))
    gateway, account = start(world, smsc)
    for _ in range(2):
        account.wait_attempt(send(account, number()), "DELIVERED")
    assert "unmatched" not in gateway.log()


@pytest.mark.parametrize("ids", ["same", "first"])
@pytest.mark.parametrize("way", ["udh", "sar"])
def test_q08_one_id_for_all_parts_or_for_the_first_is_the_whole_messages(world, ids, way):
    smsc = world.node("smsc", "--part-ids", ids)
    gateway, account = start(world, smsc, way)
    to = number()
    pin_id = send(account, to)
    account.wait_attempt(pin_id, "DELIVERED")
    assert "segments" not in account.attempts(pin_id)[-1]
    assert account.attempts(pin_id)[-1]["messageId"] == smsc.submits(to)[0]["id"]
    assert len(smsc.events("dlr")) == 1 and "unmatched" not in gateway.log()


def test_q08_parts_without_ids_are_accepted_and_that_is_all(world):
    smsc = world.node("smsc")
    _, account = start(world, smsc)
    to = number()
    pin_id = send(account, to, *((n, "q:emptyid") for n in (1, 2, 3)))
    attempt = account.attempts(pin_id)[-1]
    assert attempt["state"] == "ACCEPTED" and "messageId" not in attempt and "segments" not in attempt
    assert_verified(account, pin_id, smsc.submits(to)[0]["text"])


@pytest.mark.parametrize("way", WAYS)
def test_q08_parts_stay_together_over_two_binds_a_window_of_one_and_a_low_rate(world, way):
    smsc = world.node("smsc")
    gateway, account = start(world, smsc, way, {"send_deadline_ms": 60000}, binds=2, window=1, rate=8)
    text = message(account)
    numbers = [number() for _ in range(6)]
    with ThreadPoolExecutor(len(numbers)) as pool:
        sent = list(pool.map(lambda to: account.send(to, message=text), numbers))
    for to, s in zip(numbers, sent):
        account.wait_attempt(s["pinId"], "DELIVERED")
        whole = "".join(p["text"] for p in smsc.submits(to))
        assert whole == long_text().replace("{{pin}}", pin_in(whole))
    # no message on two connections; segments within any second as the rate has them, and what one submit has more
    places = [{wire.parse_submit(p)["dst"] for p in r.pdus if wire.header(p)[0] == wire.SUBMIT} for r in smsc.relay.recorders]
    assert sum(map(len, places)) == len(numbers) and all(places)
    times = sorted(e["t"] for e in smsc.events("submit") for _ in range(3 if way == "payload" else 1))
    most = 10 if way == "payload" else 8
    assert len(times) == 18 and all(b - a > 900 for a, b in zip(times, times[most:]))
    assert "unmatched" not in gateway.log()


def test_q08_a_throttled_part_goes_out_again_alone(world):
    smsc = world.node("smsc", "--throttle-every", "2")
    gateway, account = start(world, smsc, throttle_ms=50)
    to = number()
    pin_id = send(account, to)
    account.wait_attempt(pin_id, "DELIVERED")
    taken = [n for n, again in itertools.groupby(p["part"]["n"] for p in smsc.submits(to))]
    assert taken == [1, 2, 3] and len(smsc.submits(to)) > 3
    assert gateway.binds()[0]["throttled"] == len(smsc.submits(to)) - 3


def test_q08_a_part_that_is_refused_is_a_refusal_of_the_message(world):
    smsc = world.node("smsc")
    gateway, account = start(world, smsc)
    to = number()
    sent = account.send(to, message=message(account, (2, "q:rsyserr")))
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    attempt = account.attempts(sent["pinId"])[-1]
    assert attempt["state"] == "REFUSED" and attempt["err"] == "0x00000008" and len(smsc.submits(to)) == 2
    # the receipt of the first part finds what it is of, and changes nothing
    wait_for(lambda: smsc.events("resp", cmd="deliver_sm_resp", st=0), "deliver_sm_resp ESME_ROK")
    assert account.attempts(sent["pinId"])[-1]["state"] == "REFUSED"
    assert gateway.ctl("info")["ledger"]["receipts_parked"] == 0


def test_q08_a_message_that_is_torn_is_in_doubt_and_never_sent_again(world):
    smsc = world.node("smsc", "--dlr-retry", "100")
    _, account = start(world, smsc)
    to = number()
    pin_id = send(account, to, (3, "q:close"))
    # what was accepted has its receipts, and their good news is not the whole message's
    account.wait_status(pin_id, lambda s: s["attempts"][-1].get("segmentsDelivered") == 2, "receipts of two parts")
    assert account.attempts(pin_id)[-1]["state"] == "IN_DOUBT" and account.status(pin_id)["state"] == "LIVE"
    assert len(account.attempts(pin_id)) == 1 and len(smsc.submits(to)) == 3
    assert_verified(account, pin_id, smsc.submits(to)[0]["text"])


@pytest.mark.parametrize("late", [2, 3])
def test_q08_a_late_answer_makes_the_message_whole_when_it_is_to_the_last_part(world, late):
    unanswered = []

    def on_submit(smsc, sequence, fields):
        if len(smsc.texts) == late:
            unanswered.append(sequence)
        else:
            smsc.accept(sequence, f"id-{len(smsc.texts)}")
    smsc = world.scripted(on_submit)
    gateway, account = start(world, smsc, response_timeout_s=1)
    to = number()
    pin_id = send(account, to)
    assert account.attempts(pin_id)[-1]["state"] == "IN_DOUBT"
    smsc.accept(unanswered[0], f"id-{late}")
    gateway.wait_log("event=submit_result", count=2)
    for part in range(late):
        smsc.say(wire.deliver(part + 1, to, "1", wire.receipt_text(f"id-{part + 1}")))
    account.wait_status(pin_id, lambda s: s["attempts"][-1]["segmentsDelivered"] == late, "its receipts")
    assert account.attempts(pin_id)[-1]["state"] == ("DELIVERED" if late == 3 else "IN_DOUBT")
    assert len(smsc.texts) == late and "unmatched" not in gateway.log()


@pytest.mark.parametrize("match", ["reference", "address"])
def test_parts_without_ids_are_told_apart_by_their_references_and_not_by_the_number(world, match):
    smsc = world.scripted(accept_without_an_id)
    gateway, account = start(world, smsc, receipt_match=match)
    to = number()
    pin_id = send(account, to)
    submits = smsc.submits(to)
    for i in (1, 2, 0):
        assert account.attempts(pin_id)[-1]["state"] == "ACCEPTED"
        say_receipt(smsc, submits[i], reference=reference_of(submits[i]) if match == "reference" else None)
        if match == "address":  # the first one is for all
            break
        wait_acknowledged(smsc, {1: 1, 2: 2, 0: 3}[i])
    account.wait_attempt(pin_id, "DELIVERED")
    assert account.attempts(pin_id)[-1].get("segmentsDelivered") == (3 if match == "reference" else None)
    assert "unmatched" not in gateway.log()


def test_the_refusal_of_a_long_text_says_how_to_allow_it(world):
    smsc = world.node("smsc")
    _, account = start(world, smsc)
    short = account.new_message("--max-segments", "2", text=long_text())
    with pytest.raises(redis.ResponseError, match="3 SMS segments, 2 is the most.*maxSegments"):
        account.send(number(), message=short)
    assert not smsc.events("submit")


def test_a_resend_of_a_long_text_is_long_again(world):
    smsc = world.node("smsc")
    _, account = start(world, smsc)
    to = number()
    pin_id = send(account, to)
    account.wait_attempt(pin_id, "DELIVERED")
    assert resp.fields(account.client().execute_command("PIN.RESEND", pin_id))["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(pin_id, "DELIVERED", 1)
    assert [p["part"]["n"] for p in smsc.submits(to)] == [1, 2, 3, 1, 2, 3]
    assert [a["segmentsDelivered"] for a in account.attempts(pin_id)] == [3, 3]


def test_receipts_of_parts_come_to_another_gateway_and_after_a_crash(world):
    store = world.redis()
    smsc = world.node("smsc", "--dlr-delay", "1500", "--dlr-retry", "200")
    keys = world.redis_store(store.port)
    first = world.gateway({"acme": smsc}, name="one", **keys).start()
    account = Account(first, "demo")
    to = number()
    pin_id = send(account, to)
    first.kill()
    second = world.gateway({"acme": smsc}, name="two", **keys).start()
    account.gateway = second
    account.wait_attempt(pin_id, "DELIVERED")
    assert account.attempts(pin_id)[-1]["segmentsDelivered"] == 3
