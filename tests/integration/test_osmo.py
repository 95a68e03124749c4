"""pinbindd and a real mobile network's SMSC: osmo-msc, with handsets; what it does is told in osmo.py."""
import pytest

import wire
from osmo import OsmoNetwork
from procs import wait_for
from world import pin_in

FORWARD = {"receipt_match": "reference", "messaging_mode": "forward"}


@pytest.fixture
def start(world):
    def start(**keys):
        network = world.osmo()
        gateway, account = world.start({"osmo": {"port": network.port, **keys}})
        return network, gateway, account
    return start


def wait_shown(network, to, count=1):
    wait_for(lambda: len(network.shown(to)) >= count, lambda: f"{count} messages at {to}: {network.texts}")
    return network.shown(to)[-1]["text"]


def acknowledged(network):
    """command_status of each deliver_sm_resp that pinbind wrote."""
    headers = [wire.header(p) for p in network.relay.sent()]
    return [status for command, status, _ in headers if command == wire.DELIVER_RESP]


def is_well(network, gateway):
    """Nothing of what osmo-msc said was malformed or unasked for, and it has complained of nothing."""
    log = gateway.log()
    for word in ("malformed", "unmatched", "receipt_without_id", "unexpected", "nack"):
        assert word not in log, word
    assert "smpp34_unpack" not in network.msc.err()
    assert gateway.binds()[0]["state"] == "BOUND"


@pytest.mark.parametrize("mode", ["default", "forward", "store-and-forward"])
def test_a_pin_reaches_a_handset_and_its_receipt_its_pin(start, mode):
    network, gateway, account = start(receipt_match="reference", messaging_mode=mode)
    for count in (1, 2):
        sent = account.send(network.ATTACHED)
        assert sent["smsStatus"] == "MESSAGE_SENT"
        text = wait_shown(network, network.ATTACHED, count)
        account.wait_attempt(sent["pinId"], "DELIVERED")
        assert account.verify(sent["pinId"], pin_in(text))["verified"] == 1
    given = account.attempts(sent["pinId"])[-1].get("messageId", "")
    assert given == ("" if mode == "forward" else "msg_id_not_implemented")
    wait_for(lambda: acknowledged(network) == [0, 0], lambda: f"{acknowledged(network)} deliver_sm_resp")
    is_well(network, gateway)


@pytest.mark.parametrize("number,status", [
    (OsmoNetwork.UNKNOWN, "0x0000000b"), (OsmoNetwork.BARRED, "0x0000000b"), (OsmoNetwork.NEVER_SEEN, "0x0000000b"),
    (OsmoNetwork.SWITCHED_OFF, "0x0000000b"), (OsmoNetwork.REFUSES, "0x000000fe")])
def test_in_forward_mode_what_cannot_be_delivered_is_answered_not_sent(start, number, status):
    network, gateway, account = start(**FORWARD)
    sent = account.send(number)
    assert sent["smsStatus"] == "MESSAGE_NOT_SENT"
    record = account.status(sent["pinId"])
    assert record["state"] == "NOT_SENT"
    assert [(a["state"], a["err"]) for a in record["attempts"]] == [("REFUSED", status)]
    assert len(network.shown(number)) == (number == network.REFUSES)
    is_well(network, gateway)


def test_by_default_what_cannot_be_delivered_is_accepted_and_never_heard_of_again(start):
    network, gateway, account = start(receipt_match="reference")
    lost = [account.send(n) for n in (network.UNKNOWN, network.SWITCHED_OFF, network.REFUSES)]
    assert [s["smsStatus"] for s in lost] == ["MESSAGE_SENT"] * 3
    wait_shown(network, network.REFUSES)
    sent = account.send(network.ATTACHED)  # the queue has gone on behind them
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert [account.attempts(s["pinId"])[-1]["state"] for s in lost] == ["ACCEPTED"] * 3
    is_well(network, gateway)


def test_by_id_no_receipt_of_this_smsc_finds_its_message(start):
    """Why receipt_match is there: one id for every message in the responses, another in the receipts."""
    network, gateway, account = start(messaging_mode="forward")
    sent = account.send(network.ATTACHED)
    wait_for(lambda: acknowledged(network) == [0], lambda: f"{acknowledged(network)} deliver_sm_resp")
    gateway.wait_log("verdict=PARKED")
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED"


def test_by_address_the_receipts_of_this_smsc_find_their_message(start):
    network, gateway, account = start(receipt_match="address")
    for _ in range(2):
        sent = account.send(network.ATTACHED)
        account.wait_attempt(sent["pinId"], "DELIVERED")
    is_well(network, gateway)


def test_letters_outside_of_gsm_arrive_as_they_were_written(start):
    network, gateway, account = start(**FORWARD)
    message = account.new_message("--length", "8", text="Your code is {{pin}} — код, šifra 😀")
    sent = account.send(network.ATTACHED, message=message)
    text = wait_shown(network, network.ATTACHED)
    assert text.endswith(" — код, šifra 😀") and account.verify(sent["pinId"], pin_in(text))["verified"] == 1
    account.wait_attempt(sent["pinId"], "DELIVERED")
    is_well(network, gateway)


def test_an_idle_bind_is_kept_and_a_stop_unbinds(start):
    network, gateway, account = start(enquire_link_s=1, **FORWARD)
    commands = lambda: [wire.header(p)[0] for p in network.relay.sent()]  # noqa: E731
    wait_for(lambda: commands().count(wire.ENQUIRE) >= 2, commands)
    assert account.send(network.ATTACHED)["smsStatus"] == "MESSAGE_SENT"
    assert gateway.stop() == 0
    assert commands()[-1] == wire.UNBIND and commands().count(wire.BIND_TRX) == 1
    assert "Rx UNBIND" in network.msc.err()


def test_a_message_for_a_handset_that_is_off_arrives_when_it_is_on_and_its_receipt_finds_it(start):
    """The SMSC restarts in between: the message is in its store, and the bind comes back."""
    network, gateway, account = start(receipt_match="reference")
    sent = account.send(network.SWITCHED_OFF)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    network.restart()
    gateway.wait_bound("osmo")
    assert account.send(network.ATTACHED)["smsStatus"] == "MESSAGE_SENT"
    wait_shown(network, network.ATTACHED)
    assert account.attempts(sent["pinId"])[-1]["state"] == "ACCEPTED" and not network.shown(network.SWITCHED_OFF)
    network.switch_on(network.SWITCHED_OFF)
    text = wait_shown(network, network.SWITCHED_OFF)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert account.verify(sent["pinId"], pin_in(text))["verified"] == 1
    is_well(network, gateway)


def test_q8_each_part_of_a_long_text_arrives_and_has_its_receipt(start):
    network, gateway, account = start(**FORWARD)
    tail = " is what you type, within ten minutes and into nothing but the page that you came from." * 2
    message = account.new_message("--length", "8", "--max-segments", "2", text="Your code is {{pin}}" + tail)
    sent = account.send(network.ATTACHED, message=message)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "DELIVERED")
    first, second = network.shown(network.ATTACHED)
    assert (first["udh"][-4:], second["udh"][-4:]) == ("0201", "0202") and first["udh"][:-2] == second["udh"][:-2]
    text = first["text"] + second["text"]
    assert text.endswith(tail) and account.verify(sent["pinId"], pin_in(text))["verified"] == 1
    wait_for(lambda: acknowledged(network) == [0, 0], lambda: f"{acknowledged(network)} deliver_sm_resp")
    is_well(network, gateway)


def test_a_bind_whose_queries_are_never_answered_is_kept(start):
    network, gateway, account = start(receipt_match="reference", query_after_s=1, response_timeout_s=1)
    for _ in range(2):
        account.send(network.SWITCHED_OFF)
    gateway.wait_log("event=query ", seconds=20, count=2)
    sent = account.send(network.ATTACHED)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    commands = [wire.header(p)[0] for p in network.relay.sent()]
    assert commands.count(wire.QUERY) >= 2 and commands.count(wire.BIND_TRX) == 1
    is_well(network, gateway)


def test_a_bind_that_is_restarted_by_hand_goes_on(start):
    network, gateway, account = start(**FORWARD)
    gateway.ctl("bind", "osmo", "restart")
    network.msc.wait_text("Rx BIND Trx", count=2)
    gateway.wait_bound("osmo")
    assert network.msc.err().count("Rx UNBIND") == 1
    sent = account.send(network.ATTACHED)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    is_well(network, gateway)
