"""query_sm for receipts that do not come, and cancel_sm for messages that nobody wants any more."""
import pytest

import wire
from procs import wait_for
from test_demo import Simulator
from test_metrics import scrape, value
from world import number, pin_in

ENROUTE, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, UNKNOWN = 1, 2, 3, 4, 5, 7
RCANCELFAIL, RQUERYFAIL = 0x11, 0x67
SILENCE, NACK = "no answer", "generic_nack"


def asked(world, *answers, **keys):
    """A gateway, its account, and an SMSC that gives no receipt: it answers query_sm by the list, its end by the last."""
    left = list(answers)

    def on_query(smsc, sequence, fields):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer == NACK:
            smsc.say(wire.pdu(wire.NACK, 3, sequence))
        elif answer != SILENCE:
            smsc.say(wire.query_resp(sequence, fields["id"], **answer))
    smsc = world.scripted()
    smsc.on_query = on_query
    gateway, account = world.start({"acme": {"port": smsc.port, "query_after_s": 1, **keys}}, http={})
    return gateway, account, smsc


def queries(smsc):
    return [wire.parse_query(p) for _, _, _, p in smsc.received(wire.QUERY)]


def cancels(smsc):
    return [wire.parse_cancel(p) for _, _, _, p in smsc.received(wire.CANCEL)]


def counted(gateway, name, result):
    return value(scrape(gateway)[1], name, carrier="acme", result=result)


# --- query_sm

def test_a_message_without_a_receipt_is_asked_for(world):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": {"port": smsc.port, "query_after_s": 1}})
    to = number()
    sent = account.send(to)
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    account.wait_attempt(sent["pinId"], "DELIVERED")
    written = [p for p in smsc.relay.sent() if wire.header(p)[0] == wire.QUERY]
    submit = wire.parse_submit(next(p for p in smsc.relay.sent() if wire.header(p)[0] == wire.SUBMIT))
    assert [wire.parse_query(p) for p in written] == [{
        "id": account.attempts(sent["pinId"])[-1]["messageId"], "src": submit["src"],
        "source_ton": submit["source_ton"], "source_npi": submit["source_npi"]}]
    assert account.verify(sent["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1


def test_it_is_asked_again_until_the_state_is_final(world):
    gateway, account, smsc = asked(world, {"state": ENROUTE}, {"state": UNDELIVERABLE, "error": 69,
                                                               "date": "260101120000000+"})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "ENROUTE")
    account.wait_attempt(sent["pinId"], "UNDELIVERABLE")
    attempt = account.attempts(sent["pinId"])[-1]
    assert attempt["err"] == "069" and attempt["doneAt"] == 1767268800000
    assert len(queries(smsc)) == 2
    assert counted(gateway, "pinbind_queries_total", "done") == 2
    wait_for(lambda: value(scrape(gateway)[1], "pinbind_watched_messages") == 0, "nothing is watched")


@pytest.mark.parametrize("answer,result", [
    ({"state": 0, "status": RQUERYFAIL}, "refused"), (NACK, "refused"), (SILENCE, "no_answer")])
def test_a_question_in_vain_leaves_it_accepted_and_is_asked_again(world, answer, result):
    gateway, account, smsc = asked(world, answer, response_timeout_s=1)
    sent = account.send(number())
    wait_for(lambda: counted(gateway, "pinbind_queries_total", result) == 1, "a result")
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    assert gateway.binds()[0]["state"] == "BOUND"
    smsc.wait_received(wire.QUERY, 2)
    assert [q["id"] for q in queries(smsc)] == ["1", "1"]


def test_a_state_unknown_is_no_news(world):
    gateway, account, smsc = asked(world, {"state": UNKNOWN}, {"state": 99}, {"state": DELIVERED})
    sent = account.send(number())
    smsc.wait_received(wire.QUERY, 2)
    gateway.wait_log("event=query ", count=2)
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"
    account.wait_attempt(sent["pinId"], "DELIVERED")


def test_what_has_its_receipt_is_not_asked_for(world):
    gateway, account, smsc = asked(world, {"state": EXPIRED})
    to = number()
    first = account.send(to)
    smsc.say(wire.deliver(1, to, "PINBIND", wire.receipt_text("1")))
    account.wait_attempt(first["pinId"], "DELIVERED")
    second = account.send(number())
    account.wait_attempt(second["pinId"], "EXPIRED")
    assert [q["id"] for q in queries(smsc)] == ["2"]


def test_a_receipt_after_the_question_changes_nothing(world):
    gateway, account, smsc = asked(world, {"state": DELIVERED})
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    smsc.say(wire.deliver(7, to, "PINBIND", wire.receipt_text("1", "UNDELIV")))
    wait_for(lambda: smsc.received(wire.DELIVER_RESP), "an answer to the receipt")
    assert smsc.received(wire.DELIVER_RESP)[0][1] == 0
    assert account.attempts(sent["pinId"])[-1]["state"] == "DELIVERED"


def test_ids_of_which_receipts_have_another_form_are_asked_for_as_they_came(world):
    """query_sm bears the id of the response, and what it tells needs no id: auto cannot mistake it."""
    smsc = world.node("smsc", "--dlr", "none", "--id", "hexdec")
    gateway, account = world.start({"acme": {"port": smsc.port, "query_after_s": 1}})
    sent = account.send(number())
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert "unmatched" not in gateway.log() and "message_id_settled" not in gateway.log()


def test_each_part_of_a_long_message_is_asked_for_and_withdrawn(world):
    gateway, account, smsc = asked(world, {"state": DELIVERED}, cancel=True)
    smsc.on_cancel = lambda s, sequence, fields: s.say(wire.pdu(wire.CANCEL_RESP, 0, sequence))
    text = "Your code is {{pin}} {{q}}" + " and so on" * 30
    account.message = account.new_message("--length", "8", "--max-segments", "3", text=text)
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert sorted(q["id"] for q in queries(smsc)) == ["1", "2", "3"]
    again = account.resend(sent["pinId"])
    account.client().execute_command("PIN.CANCEL", again["pinId"])
    smsc.wait_received(wire.CANCEL, 3)
    assert sorted(c["id"] for c in cancels(smsc)) == ["4", "5", "6"]


def test_an_id_longer_than_smpp_can_ask_for_is_left_alone(world):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": {"port": smsc.port, "query_after_s": 1}}, http={})
    first = account.send(number(), q="longid")
    second = account.send(number())
    account.wait_attempt(second["pinId"], "DELIVERED")
    assert account.attempts(first["pinId"])[-1]["state"] == "ACCEPTED"
    assert counted(gateway, "pinbind_queries_total", "not_sent") == 0


def test_a_reload_takes_the_questions_away(world):
    gateway, account, smsc = asked(world, {"state": ENROUTE})
    account.send(number())
    smsc.wait_received(wire.QUERY)
    gateway.configure({"other": {"port": smsc.port, "query_after_s": 1}}, http={})
    gateway.ctl("reload")
    gateway.wait_bound("other")
    wait_for(lambda: value(scrape(gateway)[1], "pinbind_watched_messages") == 0, "the message of acme forgotten")
    assert len(queries(smsc)) == 1


# --- cancel_sm

def withdrawing(world, status=0, **keys):
    smsc = world.scripted()
    smsc.on_cancel = lambda s, sequence, fields: s.say(wire.pdu(wire.CANCEL_RESP, status, sequence))
    gateway, account = world.start({"acme": {"port": smsc.port, "cancel": True, **keys}}, http={})
    return gateway, account, smsc


def cancel_of(message_id, to, src="PINBIND"):
    return {"id": message_id, "service_type": "", "src": src, "source_ton": 5, "source_npi": 0,
            "dst": to, "dest_ton": 1, "dest_npi": 1}


def test_the_message_of_a_cancelled_pin_is_withdrawn(world):
    gateway, account, smsc = withdrawing(world, service_type="OTP")
    to = number()
    sent = account.send(to)
    assert account.client().execute_command("PIN.CANCEL", sent["pinId"]) in (b"OK", "OK", True)
    smsc.wait_received(wire.CANCEL)
    assert cancels(smsc) == [cancel_of("1", to)]
    wait_for(lambda: counted(gateway, "pinbind_cancels_total", "done") == 1, "counted")
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"  # until the operator says so
    smsc.say(wire.deliver(1, to, "PINBIND", wire.receipt_text("1", "DELETED")))
    account.wait_attempt(sent["pinId"], "DELETED")
    assert not smsc.received(wire.QUERY)


def test_the_sender_of_the_template_names_the_message(world):
    gateway, account, smsc = withdrawing(world, query_after_s=1)
    account.message = account.new_message("--length", "8", "--sender", "ACME")
    to = number()
    sent = account.send(to)
    smsc.wait_received(wire.QUERY)
    assert queries(smsc)[0]["src"] == "ACME"
    account.client().execute_command("PIN.CANCEL", sent["pinId"])
    smsc.wait_received(wire.CANCEL)
    assert cancels(smsc) == [cancel_of("1", to, "ACME")]


def test_another_process_may_cancel_and_withdraw(world):
    """What it has not sent it reads from the record, the sender too."""
    gateway, account, smsc = withdrawing(world)
    account.message = account.new_message("--length", "8", "--sender", "ACME")
    to = number()
    sent = account.send(to)
    assert gateway.stop() == 0
    gateway.start()
    account.client().execute_command("PIN.CANCEL", sent["pinId"])
    smsc.wait_received(wire.CANCEL)
    assert cancels(smsc) == [cancel_of("1", to, "ACME")]


def test_a_resend_and_a_newer_pin_withdraw_the_older_message(world):
    gateway, account, smsc = withdrawing(world)
    to = number()
    sent = account.send(to)
    account.resend(sent["pinId"])
    smsc.wait_received(wire.CANCEL)
    account.send(number())
    account.send(to)
    smsc.wait_received(wire.CANCEL, 2)
    assert cancels(smsc) == [cancel_of("1", to), cancel_of("2", to)]  # each once
    account.send(to)
    smsc.wait_received(wire.CANCEL, 3)
    assert cancels(smsc)[2] == cancel_of("4", to)


def test_another_application_has_messages_of_its_own(world):
    gateway, account, smsc = withdrawing(world)
    to = number()
    account.send(to)
    other = account.new_app()
    second = account.send(to, app=other, message=account.new_message("--length", "8", app=other, text="Your code is {{pin}}"))
    account.client().execute_command("PIN.CANCEL", second["pinId"])
    smsc.wait_received(wire.CANCEL)
    assert cancels(smsc) == [cancel_of("2", to)]


def test_what_is_delivered_is_not_withdrawn(world):
    gateway, account, smsc = withdrawing(world)
    to, other = number(), number()
    sent = account.send(to)
    smsc.say(wire.deliver(1, to, "PINBIND", wire.receipt_text("1")))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    account.resend(sent["pinId"])
    account.client().execute_command("PIN.CANCEL", sent["pinId"])
    smsc.wait_received(wire.CANCEL)
    account.client().execute_command("PIN.CANCEL", account.send(other)["pinId"])
    smsc.wait_received(wire.CANCEL, 2)
    assert cancels(smsc) == [cancel_of("2", to), cancel_of("3", other)]


def test_a_withdrawal_that_fails_is_nobodys_error(world):
    gateway, account, smsc = withdrawing(world, status=RCANCELFAIL)
    sent = account.send(number())
    assert account.client().execute_command("PIN.CANCEL", sent["pinId"])
    wait_for(lambda: counted(gateway, "pinbind_cancels_total", "refused") == 1, "counted")
    gateway.wait_log("ESME_RCANCELFAIL")
    assert account.status(sent["pinId"])["state"] == "CANCELLED"


def test_carriers_without_the_keys_see_neither(world):
    gateway, account, smsc = asked(world, {"state": DELIVERED}, query_after_s=0)
    quiet, second = smsc, world.scripted()
    gateway.configure({"acme": {"port": quiet.port}, "loud": {"port": second.port, "query_after_s": 1, "cancel": True}},
                      http={}, routes={"default": {"prefixes": [""], "carriers": ["acme"]},
                                       "loud": {"prefixes": ["49"], "carriers": ["loud"]}})
    gateway.ctl("reload")
    gateway.wait_bound("acme", "loud")
    to, other = number(), "49151" + number()[-7:]
    sent = account.send(to)
    account.resend(sent["pinId"])
    account.send(to)
    account.client().execute_command("PIN.CANCEL", sent["pinId"])
    loud = account.send(other)
    second.wait_received(wire.QUERY)
    account.client().execute_command("PIN.CANCEL", loud["pinId"])
    second.wait_received(wire.CANCEL)
    assert not quiet.received(wire.QUERY) and not quiet.received(wire.CANCEL)


def test_the_simulator_withdraws_and_says_so(world):
    smsc = Simulator(world, "--receipt-delay-ms", "60000", "--id-mode", "hex-dec")
    gateway, account = world.start({"acme": {"port": smsc.port, "query_after_s": 1, "cancel": True}})
    first = account.send(number())
    account.wait_attempt(first["pinId"], "ENROUTE")  # the answer to query_sm
    account.resend(first["pinId"])
    account.wait_attempt(first["pinId"], "DELETED", which=0)  # the receipt after cancel_sm
    account.client().execute_command("PIN.CANCEL", first["pinId"])
    account.wait_attempt(first["pinId"], "DELETED", which=1)
    assert [e["status"] for e in smsc.events("cancel_sm")] == [0, 0]
