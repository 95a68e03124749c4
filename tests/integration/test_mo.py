"""Messages from handsets: put together, read, answered, told to people, and never taken for receipts."""
import json
import re
import socket

import pytest
import requests

import wire
from procs import BUILD, Program, run, wait_for
from world import Account, number

STREET = "385917654321"  # who writes
NODE = [  # trigger of node-smpp, text, parts
    ("mo", "hello MO", 1),
    ("moat", "@a€", 1),
    ("moucs2", "Got t\U0001f618", 1),
    ("molong", "part one part two part three", 3),
    ("molong16", "part one part two part three", 3),
    ("mosar", "part one part two part three", 3),
    ("mopayload", "x" * 400, 1),
    ("moflash", "flash", 1)]


def udh(reference, total, sequence):
    return bytes([5, 0, 3, reference, total, sequence])


def messages(gateway, count=1):
    """The latest, newest first, when there are so many."""
    return wait_for(lambda: (m := gateway.ctl("mo")) and len(m) >= count and m, lambda: f"{count} messages: {gateway.ctl('mo')}")


def metric(gateway, keyword, carrier="acme"):
    page = requests.get(gateway.url("/metrics", noc=True), timeout=10).text
    found = re.search(rf'^pinbind_mobile_originated_total\{{carrier="{carrier}",keyword="{keyword}"\}} (\d+)$', page, re.M)
    return int(found[1]) if found else None


@pytest.mark.parametrize("trigger,text,parts", NODE)
def test_a_message_from_node_smpp_arrives_as_it_was_written(world, trigger, text, parts):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": smsc})
    to = number()
    account.send(to, q=trigger)
    got = messages(gateway)
    assert len(got) == 1
    assert {k: got[0][k] for k in ("carrier", "from", "to", "text", "parts", "missing", "keyword")} == {
        "carrier": "acme", "from": to, "to": "PINBIND", "text": text, "parts": parts, "missing": 0, "keyword": "none"}
    wait_for(lambda: len(smsc.events("resp", cmd="deliver_sm_resp", st=0)) == parts, "an answer to each part")
    assert not smsc.events("resp", cmd="deliver_sm_resp", st=0x64) and "event=receipt" not in gateway.log()


def test_packed_septets_are_read_where_the_carrier_says_so(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": {"port": smsc.port, "default_alphabet": "gsm-packed"}})
    smsc.say(wire.deliver(1, STREET, "1971", bytes.fromhex("e8329bfd06"), esm_class=0))
    assert messages(gateway)[0]["text"] == "hello"


def test_node_smpp_packs_septets(world):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": {"port": smsc.port, "default_alphabet": "gsm-packed"}})
    account.message = account.new_message(text=Account.TEXT + " Ж")  # in UCS-2, where node-smpp reads its triggers
    account.send(number(), q="mo7packed")
    assert messages(gateway)[0]["text"] == "hello"


def test_parts_that_come_again_over_another_connection_make_no_message(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    parts = [wire.deliver(i, STREET, "1971", udh(7, 2, i) + text, esm_class=0x40) for i, text in ((1, b"one "), (2, b"two"))]
    smsc.say(*parts)
    smsc.wait_received(wire.DELIVER_RESP, 2)
    smsc.connections[-1].shutdown(socket.SHUT_RDWR)
    smsc.wait_received(wire.BIND_TRX, 2)
    gateway.wait_bound("acme")
    smsc.say(parts[1])
    smsc.wait_received(wire.DELIVER_RESP, 3)
    gateway.configure({"acme": {"port": smsc.port, "system_type": "other"}})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    gateway.wait_log("event=carrier_closed")
    assert [m["text"] for m in gateway.ctl("mo")] == ["one two"]


def test_a_terminator_that_is_counted_is_left_out_where_the_carrier_says_so(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": {"port": smsc.port, "strip_trailing_nul": True}})
    smsc.say(wire.deliver(1, STREET, "1971", b"STOP\0", esm_class=0))
    assert messages(gateway)[0]["text"] == "STOP"
    smsc.say(wire.deliver(2, STREET, "1971", b"me\0\0", esm_class=0))
    assert messages(gateway, 2)[0]["text"] == "me@"


def test_stop_and_help_are_told_in_log_and_metrics_without_text_or_number(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc}, http={})
    for i, text in enumerate((b"Stop sending me codes", b" Arret.", b"HELP", b"unstop", b"nonstop fun")):
        smsc.say(wire.deliver(i + 1, STREET, "1971", text, esm_class=0))
    smsc.wait_received(wire.DELIVER_RESP, 5)
    assert [m["keyword"] for m in messages(gateway, 5)] == ["none", "START", "HELP", "STOP", "STOP"]
    lines = [line for line in gateway.log().splitlines() if " event=mo " in line]
    assert "id=acme event=mo from=+38591*****21 to=1971 keyword=STOP octets=21 data_coding=0 parts=1 missing=0" in lines[0]
    assert len(lines) == 5 and STREET not in gateway.log() and "sending" not in gateway.log()
    assert [metric(gateway, k) for k in ("STOP", "START", "HELP", "none")] == [2, 1, 1, 1]
    assert gateway.ctl("info")["carriers"]["mobile_originated"] == 5


def test_an_smsc_with_a_window_of_one_gets_its_answers_part_by_part(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    for i, (part, text) in enumerate(((3, b"now"), (1, b"stop "), (2, b"it "))):
        smsc.say(wire.deliver(i + 1, STREET, "1971", udh(7, 3, part) + text, esm_class=0x40))
        smsc.wait_received(wire.DELIVER_RESP, i + 1)
    got = messages(gateway)
    assert len(got) == 1 and got[0]["text"] == "stop it now" and got[0]["keyword"] == "STOP"
    assert [(e[1], e[2]) for e in smsc.received(wire.DELIVER_RESP)] == [(0, 1), (0, 2), (0, 3)]


def test_parts_meet_across_the_binds_of_a_carrier(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    gateway.configure({"acme": {"port": smsc.port, "binds": 2}})
    gateway.ctl("reload")
    wait_for(lambda: len(gateway.binds()) == 2, "two binds")
    gateway.wait_bound("acme")
    smsc.connections[0].sendall(wire.deliver(1, STREET, "1971", udh(7, 2, 2) + b"two", esm_class=0x40))
    smsc.wait_received(wire.DELIVER_RESP)
    smsc.connections[1].sendall(wire.deliver(1, STREET, "1971", udh(7, 2, 1) + b"one ", esm_class=0x40))
    assert messages(gateway)[0]["text"] == "one two"


def test_q63_messages_come_on_the_receiver_of_a_pair(world):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": {"port": smsc.port, "bind": "transmitter+receiver"}})
    account.send(number(), q="molong")
    assert messages(gateway)[0]["text"] == "part one part two part three"
    wait_for(lambda: len(smsc.events("resp", cmd="deliver_sm_resp", st=0)) == 3, "an answer to each part")


def test_binary_data_has_no_text(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    body = wire.deliver(1, STREET, "1971", b"STOP", esm_class=0)
    smsc.say(body[:-7] + b"\x04" + body[-6:])  # data_coding
    got = messages(gateway)[0]
    assert (got["text"], got["octets"], got["data_coding"], got["keyword"]) == (None, 4, 4, "none")


def test_a_rebind_hands_on_what_waits_for_parts(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    smsc.say(wire.deliver(1, STREET, "1971", udh(7, 3, 2) + b"stop the ", esm_class=0x40))
    smsc.wait_received(wire.DELIVER_RESP)
    gateway.configure({"acme": {"port": smsc.port, "system_type": "other"}})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    got = messages(gateway)[0]
    assert (got["text"], got["parts"], got["missing"], got["keyword"]) == ("stop the ", 3, 2, "none")


def test_hostile_parts_do_no_harm(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    bodies = [b"", b"\0", b"\xff", b"\5\0\3", udh(1, 0, 0), udh(1, 2, 3) + b"a", udh(1, 255, 255) + b"b", b"\x7f" * 250,
              b"\5\0\4\1\2\1x", b"\3\x24\1\1x"] + [udh(i, 2, 1) + bytes([i]) * 200 for i in range(2, 200)]
    for i, octets in enumerate(bodies):
        smsc.say(wire.deliver(i + 1, STREET[:-3] + f"{i:03}", "1971", octets, esm_class=0x40))
    smsc.wait_received(wire.DELIVER_RESP, len(bodies))
    assert all(e[1] == 0 for e in smsc.received(wire.DELIVER_RESP))
    assert len(messages(gateway, 10)) == 10
    smsc.say(wire.deliver(9999, STREET, "1971", b"alive", esm_class=0))
    assert messages(gateway, 11)[0]["text"] == "alive"


# --- never mistaken for receipts

@pytest.mark.parametrize("taken", [False, True])
def test_q13_a_message_that_looks_like_a_receipt_is_one_only_where_the_carrier_sends_them_so(world, taken):
    smsc = world.scripted()
    gateway, account = world.start({"acme": {"port": smsc.port, "receipt_without_esm_class": taken}})
    to = number()
    sent = account.send(to)
    text = wire.receipt_text("1")
    smsc.say(wire.deliver(5, to, "PINBIND", text, esm_class=0))
    smsc.wait_received(wire.DELIVER_RESP)
    if taken:
        account.wait_attempt(sent["pinId"], "DELIVERED")
        assert gateway.ctl("mo") == []
    else:
        assert messages(gateway)[0]["text"] == text.decode()
        assert account.attempts(sent["pinId"])[0]["state"] == "ACCEPTED"


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x18])
def test_q12_what_a_handset_acknowledges_with_a_text_is_a_message(world, esm_class):
    smsc = world.scripted()
    gateway, account = world.start({"acme": smsc})
    to = number()
    sent = account.send(to)
    smsc.say(wire.deliver(5, to, "PINBIND", b"stop", esm_class=esm_class))
    assert messages(gateway)[0]["keyword"] == "STOP"
    assert account.attempts(sent["pinId"])[0]["state"] == "ACCEPTED" and "receipt_without_id" not in gateway.log()
    smsc.say(wire.deliver(6, to, "PINBIND", wire.receipt_text("1"), esm_class=esm_class))
    account.wait_attempt(sent["pinId"], "DELIVERED")


# --- pinbindctl

def test_people_see_a_line_each_newest_first(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    smsc.say(wire.deliver(1, STREET, "1971", b"first\x1b\x28 \"quoted\"\nline", esm_class=0))
    smsc.say(wire.deliver(2, STREET, "1971", b"\xc2STOP", esm_class=0))
    messages(gateway, 2)
    code, out, _ = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "mo"])
    lines = out.splitlines()
    assert code == 0 and len(lines) == 2
    assert lines[0].endswith(f' acme {STREET} to 1971 STOP "�STOP"')
    assert lines[1].endswith(f' acme {STREET} to 1971 none "first{{ \\"quoted\\"\\nline"')


def test_that_nothing_has_come_is_said(world):
    gateway, _ = world.start({"acme": world.scripted()})
    assert gateway.ctl("mo") == []
    assert run([BUILD / "pinbindctl", "-s", gateway.admin_path, "mo"]) == (0, "none has come since the start\n", "")


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_follow_tells_what_is_there_and_what_comes_oldest_first(world, flags):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": smsc})
    for i, text in enumerate((b"alpha", b"beta")):
        smsc.say(wire.deliver(i + 1, STREET, "1971", text, esm_class=0))
    messages(gateway, 2)
    follower = Program("follow", [BUILD / "pinbindctl", "-s", gateway.admin_path, "mo", "--follow", *flags], world.folder)
    try:
        follower.wait_text("beta", "out")
        smsc.say(wire.deliver(3, STREET, "1971", b"gamma", esm_class=0))
        follower.wait_text("gamma", "out")
        smsc.say(wire.deliver(4, STREET, "1971", b"delta", esm_class=0))
        follower.wait_text("delta", "out")
        lines = follower.out().splitlines()
        assert [re.search("alpha|beta|gamma|delta", line)[0] for line in lines] == ["alpha", "beta", "gamma", "delta"]
        assert not flags or [json.loads(line)["text"] for line in lines] == ["alpha", "beta", "gamma", "delta"]
        gateway.stop()
        assert follower.wait() == 1
    finally:
        follower.kill_group()
        follower.out_path.unlink()  # it holds texts, as it should


def test_mo_takes_no_words(world):
    gateway, _ = world.start({"acme": world.scripted()})
    assert "too many words" in run([BUILD / "pinbindctl", "-s", gateway.admin_path, "mo", "x"])[2]
