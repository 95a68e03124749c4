"""The life of a PIN, over a real bind to node-smpp."""
from concurrent.futures import ThreadPoolExecutor
import re

import pytest
import redis

import resp
from world import number, pin_in


def sms(shared, to, which=-1):
    return shared.smsc.wait_submits(to)[which]


def test_a_pin_is_sent_delivered_and_verified(shared):
    to = number()
    sent = shared.account.send("+" + to)
    assert sent["to"] == to and sent["smsStatus"] == "MESSAGE_SENT"
    assert sent["ncStatus"] == "NC_NOT_CONFIGURED"
    seen = sms(shared, to)
    assert seen["src"] == "PINBIND" and seen["rd"] == 1 and seen["dc"] == 0
    shared.account.wait_attempt(sent["pinId"], "DELIVERED")
    answer = shared.account.verify(sent["pinId"], pin_in(seen["text"]))
    assert answer == {"pinId": sent["pinId"], "msisdn": to, "verified": 1, "attemptsRemaining": 0}
    status = shared.account.status(sent["pinId"])
    assert status["state"] == "VERIFIED" and status["verifiedAt"] > status["createdAt"]
    assert status["expiresAt"] - status["createdAt"] == 900000
    assert len(status["attempts"]) == 1 and status["attempts"][0]["carrier"] == "acme"
    assert status["attempts"][0]["messageId"] == seen["id"]


def test_a_wrong_pin_is_an_answer_and_costs_an_attempt(shared):
    to = number()
    sent = shared.account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    wrong = pin[:-1] + str((int(pin[-1]) + 1) % 10)
    assert shared.account.verify(sent["pinId"], wrong) == {
        "pinId": sent["pinId"], "msisdn": to, "verified": 0, "attemptsRemaining": 9, "pinError": "WRONG_PIN"}
    assert shared.account.verify(sent["pinId"], pin + "0")["attemptsRemaining"] == 8
    assert shared.account.verify(sent["pinId"], "")["attemptsRemaining"] == 7
    assert shared.account.verify(sent["pinId"], "x" * 500)["attemptsRemaining"] == 6
    assert shared.account.verify(sent["pinId"], pin)["verified"] == 1


def test_the_last_attempt_closes_the_pin(shared):
    account = shared.new_account("exhausted", settings={"pinAttempts": "2"})
    to = number()
    sent = account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    assert account.verify(sent["pinId"], "1")["pinError"] == "WRONG_PIN"
    last = account.verify(sent["pinId"], "1")
    assert (last["pinError"], last["attemptsRemaining"]) == ("WRONG_PIN", 0)
    after = account.verify(sent["pinId"], pin)
    assert (after["verified"], after["pinError"], after["attemptsRemaining"]) == (0, "NO_MORE_PIN_ATTEMPTS", 0)
    assert account.status(sent["pinId"])["state"] == "EXHAUSTED"


def test_a_pin_past_its_life_is_expired(shared):
    account = shared.new_account("expired", settings={"pinTimeToLive": "1500ms"})
    to = number()
    sent = account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    account.wait_state(sent["pinId"], "EXPIRED")
    after = account.verify(sent["pinId"], pin)
    assert (after["verified"], after["pinError"], after["attemptsRemaining"]) == (0, "TTL_EXPIRED", 0)


def test_a_newer_pin_supersedes_the_older_one(shared):
    to = number()
    old, new = shared.account.send(to), shared.account.send(to)
    old_pin, new_pin = (pin_in(s["text"]) for s in shared.smsc.wait_submits(to, 2))
    assert old["pinId"] != new["pinId"]
    assert shared.account.verify(old["pinId"], old_pin)["pinError"] == "TTL_EXPIRED"
    assert shared.account.status(old["pinId"])["state"] == "SUPERSEDED"
    assert shared.account.verify(new["pinId"], new_pin)["verified"] == 1


def test_a_newer_pin_that_the_operator_refused_supersedes_nothing(shared):
    to = number()
    old = shared.account.send(to)
    new = shared.account.send(to, q="rinvdstadr")
    assert new["smsStatus"] == "MESSAGE_NOT_SENT"
    assert shared.account.status(new["pinId"])["state"] == "NOT_SENT"
    old_pin = pin_in(shared.smsc.wait_submits(to, 2)[0]["text"])
    assert shared.account.verify(old["pinId"], old_pin)["verified"] == 1


def test_the_same_number_in_another_application_supersedes_nothing(shared):
    to = number()
    old = shared.account.send(to)
    app = shared.account.new_app()
    message = shared.account.new_message("--length", "8", app=app)
    shared.account.client().execute_command("PIN.SEND", app, message, to, "PLACEHOLDER", "q", ".")
    old_pin = pin_in(shared.smsc.wait_submits(to, 2)[0]["text"])
    assert shared.account.verify(old["pinId"], old_pin)["verified"] == 1


def test_a_resend_brings_the_same_pin_again(shared):
    to = number()
    sent = shared.account.send(to)
    again = shared.account.resend(sent["pinId"])
    assert again["pinId"] == sent["pinId"] and again["smsStatus"] == "MESSAGE_SENT" and again["to"] == to
    first, second = (pin_in(s["text"]) for s in shared.smsc.wait_submits(to, 2))
    assert first == second
    status = shared.account.status(sent["pinId"])
    assert len(status["attempts"]) == 2
    assert status["expiresAt"] - status["createdAt"] == 900000
    shared.account.wait_attempt(sent["pinId"], "DELIVERED", 0)
    shared.account.wait_attempt(sent["pinId"], "DELIVERED", 1)
    assert shared.account.verify(sent["pinId"], first)["verified"] == 1


def test_a_pin_that_is_over_is_not_resent(shared):
    to = number()
    sent = shared.account.send(to)
    assert shared.account.client().execute_command("PIN.CANCEL", sent["pinId"])
    with pytest.raises(redis.ResponseError):
        shared.account.resend(sent["pinId"])
    assert len(shared.smsc.submits(to)) == 1


def test_a_single_use_pin_is_used_once(shared):
    account = shared.new_account("single", settings={"allowMultiplePinVerifications": "false"})
    to = number()
    sent = account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    assert account.verify(sent["pinId"], pin)["verified"] == 1
    again = account.verify(sent["pinId"], pin)
    assert (again["verified"], again["pinError"], again["attemptsRemaining"]) == (0, "NO_MORE_PIN_ATTEMPTS", 0)


def test_a_pin_for_several_uses_is_verified_again(shared):
    to = number()
    sent = shared.account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    assert [shared.account.verify(sent["pinId"], pin)["verified"] for _ in range(3)] == [1, 1, 1]


def test_of_many_clients_at_once_one_uses_a_single_use_pin(shared):
    account = shared.new_account("race", settings={"allowMultiplePinVerifications": "false"})
    to = number()
    sent = account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: account.verify(sent["pinId"], pin), range(40)))
    assert sum(a["verified"] for a in answers) == 1


def test_wrong_pins_at_once_never_get_more_than_the_attempts(shared):
    account = shared.new_account("guess", settings={"pinAttempts": "5"})
    to = number()
    sent = account.send(to)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: account.verify(sent["pinId"], "no"), range(40)))
    assert sorted(a["pinError"] for a in answers) == ["NO_MORE_PIN_ATTEMPTS"] * 35 + ["WRONG_PIN"] * 5
    assert sorted(a["attemptsRemaining"] for a in answers if a["pinError"] == "WRONG_PIN") == [0, 1, 2, 3, 4]


def test_a_cancelled_pin_cannot_be_verified(shared):
    to = number()
    sent = shared.account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    assert shared.account.client().execute_command("PIN.CANCEL", sent["pinId"]) in (True, b"OK")
    assert shared.account.verify(sent["pinId"], pin)["pinError"] == "TTL_EXPIRED"
    assert shared.account.status(sent["pinId"])["state"] == "CANCELLED"


@pytest.mark.parametrize("command", ["PIN.VERIFY", "PIN.STATUS", "PIN.CANCEL", "PIN.RESEND"])
def test_another_accounts_pin_is_as_if_it_were_not_there(shared, command):
    stranger = shared.new_account("stranger" + command[4:].lower())
    to = number()
    sent = shared.account.send(to)
    pin = pin_in(sms(shared, to)["text"])
    extra = (pin,) if command == "PIN.VERIFY" else ("PLACEHOLDER", "q", ".") if command == "PIN.RESEND" else ()
    said = []
    for pin_id in (sent["pinId"], sent["pinId"][:-4] + "0000"):
        with pytest.raises(redis.ResponseError, match="^NOT_FOUND") as e:
            stranger.client().execute_command(command, pin_id, *extra)
        said.append(str(e.value).replace(pin_id, ""))
    assert said[0] == said[1]
    assert shared.account.status(sent["pinId"])["attemptsRemaining"] == 10
    assert shared.account.verify(sent["pinId"], pin)["verified"] == 1


def test_verify_faster_than_its_limit_is_refused_and_counts_nothing(shared):
    account = shared.new_account("pace", settings={"verifyPinLimit": "1/3s"})
    to = number()
    sent = account.send(to)
    account.verify(sent["pinId"], "1")
    with pytest.raises(redis.ResponseError, match=r"^TOO_MANY_REQUESTS retry after \d+ s"):
        account.verify(sent["pinId"], "1")
    assert account.status(sent["pinId"])["attemptsRemaining"] == 9


def test_sends_to_one_number_have_a_limit(shared):
    account = shared.new_account("perphone", settings={"sendPinPerPhoneNumberLimit": "2/1h"})
    to, other = number(), number()
    sent = account.send(to)
    account.resend(sent["pinId"])
    with pytest.raises(redis.ResponseError, match="^TOO_MANY_REQUESTS"):
        account.send(to)
    assert account.send(other)["smsStatus"] == "MESSAGE_SENT"
    assert len(shared.smsc.wait_submits(to, 2)) == 2


def test_sends_of_one_application_have_a_limit(shared):
    account = shared.new_account("perapp", settings={"sendPinPerApplicationLimit": "2/1h"})
    account.send(number())
    account.send(number())
    last = number()
    with pytest.raises(redis.ResponseError, match="^TOO_MANY_REQUESTS"):
        account.send(last)
    assert shared.smsc.submits(last) == []


@pytest.mark.parametrize("kind,alphabet", [
    ("NUMERIC", "0123456789"), ("ALPHA", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), ("HEX", "0123456789ABCDEF"),
    ("ALPHANUMERIC", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")])
def test_each_type_of_pin_is_drawn_and_compared_as_people_type(shared, kind, alphabet):
    message = shared.account.new_message("--type", kind, "--length", "12")
    to = number()
    sent = shared.account.client().execute_command("PIN.SEND", shared.account.app, message, to, "PLACEHOLDER", "q", ".")
    pin_id = sent[1].decode()
    pin = pin_in(sms(shared, to)["text"])
    assert len(pin) == 12 and set(pin) <= set(alphabet)
    typed = f"  {pin[:4].lower()}-{pin[4:8].lower()} {pin[8:]} "
    assert shared.account.verify(pin_id, typed)["verified"] == 1


def test_a_text_outside_the_default_alphabet_goes_as_ucs2(shared):
    message = shared.account.new_message("--length", "8", text="Your code is {{pin}} \u2013 \U0001f511 ž")
    to = number()
    shared.account.client().execute_command("PIN.SEND", shared.account.app, message, to)
    seen = sms(shared, to)
    assert seen["dc"] == 8 and seen["text"].endswith("\u2013 \U0001f511 ž")


def test_a_text_of_more_than_one_segment_is_refused_before_anything_is_sent(shared):
    message = shared.account.new_message("--length", "8", text="Your code is {{pin}} {{q}}")
    to = number()
    with pytest.raises(redis.ResponseError, match="^BAD_REQUEST"):
        shared.account.client().execute_command("PIN.SEND", shared.account.app, message, to, "PLACEHOLDER", "q", "x" * 150)
    assert shared.smsc.submits(to) == []


def test_a_sender_can_be_named_by_the_request(shared):
    to = number()
    shared.account.client().execute_command("PIN.SEND", shared.account.app, shared.account.message, to, "FROM", "Banka",
                                            "PLACEHOLDER", "q", ".")
    assert sms(shared, to)["src"] == "Banka"


def test_number_context_is_left_out_where_it_is_not_wanted(shared):
    answer = shared.account.client().execute_command("PIN.SEND", shared.account.app, shared.account.message, number(),
                                                     "NC", "no", "PLACEHOLDER", "q", ".")
    assert resp.fields(answer).keys() == {"pinId", "to", "smsStatus"}


@pytest.mark.parametrize("words,code", [
    (["PIN.SEND"], "ERR|BAD_REQUEST"),
    (["PIN.SEND", "APP", "MSG", "12"], "BAD_REQUEST"),
    (["PIN.SEND", "APP", "MSG", "+385 not a number"], "BAD_REQUEST"),
    (["PIN.SEND", "0" * 32, "MSG", "TO"], "NOT_FOUND"),
    (["PIN.SEND", "APP", "0" * 32, "TO"], "NOT_FOUND"),
    (["PIN.SEND", "APP", "MSG", "TO"], "BAD_REQUEST"),
    (["PIN.SEND", "APP", "MSG", "TO", "PLACEHOLDER", "q"], "BAD_REQUEST|ERR"),
    (["PIN.SEND", "APP", "MSG", "TO", "PLACEHOLDER", "other", "1"], "BAD_REQUEST"),
    (["PIN.SEND", "APP", "MSG", "TO", "PLACEHOLDER", "q", ".", "NONSENSE"], "BAD_REQUEST|ERR"),
    (["PIN.SEND", "APP", "MSG", "TO", "NC", "maybe", "PLACEHOLDER", "q", "."], "BAD_REQUEST|ERR"),
    (["PIN.VERIFY", "x"], "ERR|BAD_REQUEST"),
    (["PIN.VERIFY", "not-a-pin-id", "1"], "NOT_FOUND"),
    (["PIN.VERIFY", "F" * 32, "1"], "NOT_FOUND"),
    (["PIN.STATUS", "' OR 1=1"], "NOT_FOUND"),
    (["PIN.NONSENSE", "1"], "ERR unknown command"),
    (["SUBSCRIBE", "pins"], "ERR"),
    (["GET", "x"], "ERR unknown command"),
])
def test_what_is_asked_wrongly_has_a_clear_error_and_sends_nothing(shared, words, code):
    to = number()
    fill = {"APP": shared.account.app, "MSG": shared.account.message, "TO": to}
    raw = shared.gateway.raw()  # python3-redis takes "ERR" off
    assert raw.call("AUTH", shared.account.key) == "OK"
    assert re.match(f"-({code}) ", raw.call(*(fill.get(w, w) for w in words)))
    assert raw.call("PING") == "PONG"
    raw.close()
    assert shared.smsc.submits(to) == []
