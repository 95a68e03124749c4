"""Reload: carriers and routes come, go and change without touching the others; a bad file changes nothing."""
from concurrent.futures import ThreadPoolExecutor
import collections
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest
import redis

import wire
from procs import BUILD, SLOW, run, wait_for
from world import number, pin_in

NOTHING = {"added": [], "changed": [], "rebound": [], "removed": [], "needs_restart": []}


def keys(smsc, **more):
    return {"port": smsc.port, **more}


def reload(gateway, carriers, **kw):
    """Writes the file anew, reloads, and returns what pinbindctl says has changed."""
    gateway.configure(carriers, **kw)
    return {k: v for k, v in gateway.ctl("reload").items() if v}


def refused(gateway):
    """The sentence of pinbindctl, which ends with status 1."""
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "reload"])
    assert code == 1 and out == "" and len(err.splitlines()) == 1, (code, out, err)
    return err


def rows(gateway, carrier):
    return [r for r in gateway.binds() if r["carrier"] == carrier]


def wait_gone(gateway, carrier, seconds=10.0):
    wait_for(lambda: not rows(gateway, carrier), lambda: f"{carrier} gone; there is {gateway.binds()}", seconds)


def connections(smsc):
    return len(smsc.relay.recorders)


def goes_to(account, smsc):
    to = number()
    assert account.send(to)["smsStatus"] == "MESSAGE_SENT"
    return smsc.wait_submits(to)[0]


def two(world, **kw):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": keys(first), "second": keys(second)}, **kw)
    return first, second, gateway, account


# --- what changes, and what does not ---


def test_a_reload_without_a_change_touches_nothing(world):
    first, second, gateway, account = two(world)
    assert gateway.ctl("reload") == NOTHING
    gateway.program.signal(signal.SIGHUP)
    gateway.wait_log("event=reloaded", count=2)
    goes_to(account, first)
    assert connections(first) == connections(second) == 1
    assert not first.events("unbind") and not second.events("unbind")


def test_a_carrier_comes_and_goes_and_the_other_one_is_not_touched(world):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": first})
    assert reload(gateway, {"first": keys(first), "second": keys(second)}) == {"added": ["second"]}
    gateway.wait_bound("second")
    routes = {"default": {"prefixes": [""], "carriers": ["second"]}}
    assert reload(gateway, {"first": keys(first), "second": keys(second)}, routes=routes) == {}
    goes_to(account, second)
    assert reload(gateway, {"second": keys(second)}) == {"removed": ["first"]}
    wait_for(lambda: first.events("unbind"), "unbind of the first")
    wait_gone(gateway, "first")
    goes_to(account, second)
    assert connections(second) == 1 and not second.events("unbind")


def test_a_signal_does_the_same(world):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": first})
    gateway.configure({"second": keys(second)})
    gateway.program.signal(signal.SIGHUP)
    gateway.wait_log("event=reloaded by=SIGHUP added=second")
    gateway.wait_bound("second")
    wait_gone(gateway, "first")
    goes_to(account, second)


def test_a_signal_while_the_gateway_starts_waits_for_it(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": smsc})
    for _ in range(12):
        program = gateway.start(ready=False).program
        path = str(program.err_path)
        while not os.path.getsize(path) and program.popen.poll() is None:
            pass  # no pause: the first line is only just before
        for _ in range(200):
            program.popen.send_signal(signal.SIGHUP)
        gateway.wait_log("event=reloaded by=SIGHUP")
        assert gateway.stop() == 0


def test_routes_swap_at_once(world):
    first, second, gateway, account = two(world)
    goes_to(account, first)
    carriers = {"first": keys(first), "second": keys(second)}
    assert reload(gateway, carriers, routes={
        "default": {"prefixes": [""], "carriers": ["first"]},
        "ours": {"prefixes": ["385"], "carriers": ["second"]}}) == {}
    goes_to(account, second)
    assert connections(first) == connections(second) == 1


def test_keys_that_need_no_new_bind_change_in_place(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc, source="OLD", window=10)})
    assert goes_to(account, smsc)["src"] == "OLD"
    assert reload(gateway, {"acme": keys(
        smsc, source="NEW", window=3, max_queue=5, enquire_link_s=1, response_timeout_s=5, registered_delivery=0,
        service_type="OTP", validity="none", throttle_ms=50)}) == {"changed": ["acme"]}
    assert goes_to(account, smsc)["src"] == "NEW"
    submit = wire.parse_submit([p for p in smsc.relay.sent() if wire.header(p)[0] == wire.SUBMIT][-1])
    assert (submit["service_type"], submit["validity"], submit["registered_delivery"]) == ("OTP", "", 0)
    assert rows(gateway, "acme")[0]["window"] == 3
    wait_for(lambda: [p for p in smsc.relay.sent() if wire.header(p)[0] == wire.ENQUIRE], "enquire_link after 1 s")
    assert connections(smsc) == 1 and not smsc.events("unbind")


def sent_to(account, smsc):
    """(pinId, the submit_sm) of a message that this carrier takes."""
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    return sent["pinId"], smsc.submits(to)[0]


def test_the_ways_of_an_operator_change_in_place(world):
    answers = iter([0, 0, 0x0407, 0])

    def on_submit(smsc, sequence, fields):
        status = next(answers)
        smsc.say(wire.pdu(wire.SUBMIT_RESP, status, sequence, b"" if status else fields["dst"].encode() + b"\0"))

    def receipt(submit, text, tail=b""):
        smsc.say(wire.deliver(next(smsc.sequences), submit["dst"], submit["src"], text, tail=tail))

    smsc, other = world.scripted(on_submit), world.node("other")
    plain = {"acme": keys(smsc), "other": keys(other)}
    gateway, account = world.start(plain)
    submit = sent_to(account, smsc)[1]
    assert (submit["esm_class"] & 3, submit["rest"]) == (0, b"")

    assert reload(gateway, {**plain, "acme": keys(
        smsc, messaging_mode="forward", receipt_match="reference", receipt_states=["GONE=EXPIRED"],
        receipt_errors=["069=temporary:absent subscriber"], final_states=["DELIVERED"], statuses=["0x0407=subscriber"],
        query_after_s=1, cancel=True)}) == {"changed": ["acme"]}
    pin, submit = sent_to(account, smsc)
    assert submit["esm_class"] & 3 == 2 and submit["rest"][:4] == b"\x02\x04\0\2"
    receipt(submit, b"stat:GONE err:069", submit["rest"])
    account.wait_attempt(pin, "EXPIRED")
    attempt = account.attempts(pin)[0]
    assert attempt["errText"] == "absent subscriber" and "doneAt" not in attempt
    assert wire.parse_query(smsc.wait_received(wire.QUERY)[0][3])["id"] == submit["dst"]
    account.client().execute_command("PIN.CANCEL", pin)
    assert wire.parse_cancel(smsc.wait_received(wire.CANCEL)[0][3])["id"] == submit["dst"]
    refused = account.send(number())
    assert refused["smsStatus"] == "MESSAGE_NOT_SENT" and len(account.attempts(refused["pinId"])) == 1

    assert reload(gateway, plain) == {"changed": ["acme"]}
    pin, submit = sent_to(account, smsc)
    assert (submit["esm_class"] & 3, submit["rest"]) == (0, b"")
    receipt(submit, b"id:%s stat:DELIVRD err:069" % submit["dst"].encode())
    account.wait_attempt(pin, "DELIVERED")
    attempt = account.attempts(pin)[0]
    assert attempt["doneAt"] and "errText" not in attempt
    assert len(smsc.connections) == 1


def test_binds_are_added_and_taken_away_one_by_one(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc)})
    assert reload(gateway, {"acme": keys(smsc, binds=3)}) == {"changed": ["acme"]}
    wait_for(lambda: [r["state"] for r in rows(gateway, "acme")] == ["BOUND"] * 3, gateway.binds)
    assert reload(gateway, {"acme": keys(smsc, binds=1)}) == {"changed": ["acme"]}
    wait_for(lambda: len(rows(gateway, "acme")) == 1, gateway.binds)
    wait_for(lambda: len(smsc.events("unbind")) == 2, "two unbinds")
    goes_to(account, smsc)
    assert connections(smsc) == 3 and rows(gateway, "acme")[0]["state"] == "BOUND"


@pytest.mark.parametrize("change", [{"system_type": "vma"}, {"local_address": "127.0.0.1"}, {"host": "localhost"}])
def test_a_key_of_the_bind_binds_anew_after_the_old_bind_is_gone(world, change):
    """The account allows one bind: a second one would be refused, and tried again after 30 s."""
    smsc, other = world.node("smsc", "--max-binds", "1"), world.node("other")
    gateway, account = world.start({"acme": keys(smsc), "other": keys(other)})
    assert reload(gateway, {"acme": keys(smsc, **change), "other": keys(other)}) == {"rebound": ["acme"]}
    wait_for(lambda: len(smsc.events("bind", st=0)) == 2, lambda: smsc.events("bind"))
    gateway.wait_bound("acme")
    assert len(smsc.events("bind")) == 2 and len(smsc.events("unbind")) == 1
    goes_to(account, smsc)
    assert connections(other) == 1


def test_while_the_old_bind_drains_messages_go_to_the_other_carrier(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    moved, other = world.node("moved"), world.node("other")
    gateway, account = world.start({"acme": keys(smsc), "other": keys(other)})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, number())
        wait_for(lambda: held, "a message in flight")
        assert reload(gateway, {"acme": keys(moved), "other": keys(other)}) == {"rebound": ["acme"]}
        goes_to(account, other)
        assert not answer.done() and not moved.events("bind") and not smsc.received(wire.UNBIND)
        assert len(rows(gateway, "acme")) == 1
        smsc.accept(held[0])
        assert answer.result()["smsStatus"] == "MESSAGE_SENT"
    smsc.wait_received(wire.UNBIND)
    gateway.wait_bound("acme")
    goes_to(account, moved)


def test_with_no_other_carrier_the_answer_is_unavailable_meanwhile(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    gateway, account = world.start({"acme": keys(smsc)})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, number())
        wait_for(lambda: held, "a message in flight")
        assert reload(gateway, {"acme": keys(smsc, system_type="x")}) == {"rebound": ["acme"]}
        with pytest.raises(redis.ResponseError, match="^UNAVAILABLE"):
            account.send(number())
        smsc.accept(held[0])
        assert answer.result()["smsStatus"] == "MESSAGE_SENT"
    gateway.wait_bound("acme")
    assert len(smsc.received(wire.SUBMIT)) == 1


def test_a_password_file_with_another_password_is_a_change(world):
    smsc, other = world.scripted(), world.node("other")
    secret = world.folder / "acme.pass"
    secret.write_text("oldpw-1\n")
    secret.chmod(0o600)
    # No password in the file: the harness writes one for those that name none.
    def carriers():
        return {"acme": keys(smsc, password="", password_file=secret), "other": keys(other)}
    gateway, account = world.start(carriers())
    assert reload(gateway, carriers()) == {}
    secret.write_text("newpw-2\n")
    assert reload(gateway, carriers()) == {"rebound": ["acme"]}
    binds = smsc.wait_received(wire.BIND_TRX, 2)
    assert [b"oldpw-1\0" in b[3] for b in binds] == [True, False] and b"newpw-2\0" in binds[1][3]
    gateway.wait_bound("acme")
    secret.chmod(0o644)
    assert "chmod" in refused(gateway)
    assert connections(other) == 1
    assert "newpw-2" not in gateway.log() and "oldpw-1" not in gateway.log()


def test_an_account_that_was_refused_is_tried_at_once_with_the_right_password(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": keys(smsc, password="wrongpw")}).start(bound=[])
    wait_for(lambda: smsc.events("bind", st=14), "a bind with the wrong password")
    assert reload(gateway, {"acme": keys(smsc)}) == {"rebound": ["acme"]}
    gateway.wait_bound("acme")


def test_a_carrier_that_was_never_reached_goes_at_once(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"dead": {"port": 1}, "acme": keys(smsc)}, bound=["acme"])
    assert reload(gateway, {"acme": keys(smsc)}) == {"removed": ["dead"]}
    wait_gone(gateway, "dead", 2)


# --- what is in work ---


def test_a_carrier_that_leaves_takes_its_receipts_and_answers_its_flows(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    other = world.node("other")
    gateway, account = world.start({"acme": keys(smsc), "other": keys(other)})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(account.send, to := number())
        wait_for(lambda: len(held) == 1, "the first message")
        smsc.accept(held[0], "1001")
        first = first.result()
        second = pool.submit(account.send, number())
        wait_for(lambda: len(held) == 2, "the second message")
        assert reload(gateway, {"other": keys(other)}) == {"removed": ["acme"]}
        smsc.say(wire.deliver(7, to, "800800", wire.receipt_text("1001")))
        assert smsc.wait_received(wire.DELIVER_RESP)[0][1:3] == (0, 7)
        assert account.attempts(first["pinId"])[-1]["state"] == "DELIVERED"
        assert not smsc.received(wire.UNBIND) and not second.done()
        smsc.accept(held[1], "1002")
        assert second.result()["smsStatus"] == "MESSAGE_SENT"
    smsc.wait_received(wire.UNBIND)
    wait_gone(gateway, "acme")
    assert [a["state"] for a in account.attempts(second.result()["pinId"])] == ["ACCEPTED"]


def test_a_carrier_that_leaves_with_a_silent_smsc_is_gone_within_its_bound(world):
    smsc, other = world.scripted(on_submit=lambda s, sequence, fields: None), world.node("other")
    gateway, account = world.start({"acme": keys(smsc, response_timeout_s=2), "other": keys(other)})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, number())
        smsc.wait_received(wire.SUBMIT)
        assert reload(gateway, {"other": keys(other)}) == {"removed": ["acme"]}
        wait_gone(gateway, "acme", 8)
        sent = answer.result()
    assert sent["smsStatus"] == "MESSAGE_SENT"
    assert account.attempts(sent["pinId"])[-1]["state"] == "IN_DOUBT"
    assert other.events("submit") == []


def test_a_carrier_added_again_while_it_drains_waits_for_the_end(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    other = world.node("other")
    both = {"acme": keys(smsc), "other": keys(other)}
    gateway, account = world.start(both)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, number())
        wait_for(lambda: held, "a message in flight")
        assert reload(gateway, {"other": keys(other)}) == {"removed": ["acme"]}
        assert reload(gateway, both) == {"added": ["acme"]}
        assert reload(gateway, both) == {}
        assert reload(gateway, {"other": keys(other)}) == {"removed": ["acme"]}
        assert reload(gateway, both) == {"added": ["acme"]}
        assert len(rows(gateway, "acme")) == 1 and len(smsc.received(wire.BIND_TRX)) == 1
        smsc.accept(held[0])
        assert answer.result()["smsStatus"] == "MESSAGE_SENT"
    smsc.wait_received(wire.UNBIND)
    smsc.wait_received(wire.BIND_TRX, 2)
    gateway.wait_bound("acme")
    order = [e[0] for e in smsc.log if e[0] in (wire.BIND_TRX, wire.UNBIND)]
    assert order == [wire.BIND_TRX, wire.UNBIND, wire.BIND_TRX]


def test_a_smaller_window_takes_nothing_back(world):
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    gateway, account = world.start({"acme": keys(smsc, window=4)})
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(account.send, number()) for _ in range(6)]
        wait_for(lambda: len(held) == 4, "a full window")
        assert reload(gateway, {"acme": keys(smsc, window=2)}) == {"changed": ["acme"]}
        row = rows(gateway, "acme")[0]
        assert (row["window"], row["in_flight"]) == (2, 4)
        for sequence in held[:3]:
            smsc.accept(sequence)
        wait_for(lambda: len(held) == 5, "one more: there are two in flight")
        assert rows(gateway, "acme")[0]["in_flight"] == 2
        for n in (3, 4, 5):
            wait_for(lambda: len(held) > n, "the next one")
            smsc.accept(held[n])
        assert {a.result()["smsStatus"] for a in answers} == {"MESSAGE_SENT"}
    assert len(smsc.received(wire.SUBMIT)) == 6 and len(smsc.connections) == 1


def test_reloads_under_load_lose_nothing_and_never_touch_the_other_carrier(world):
    steady, moving, spare = world.node("steady"), world.node("moving"), world.node("spare")
    routes = {"default": {"prefixes": [""], "carriers": ["moving", "steady"]}}
    plans = [{"steady": keys(steady), "moving": keys(moving)},
             {"steady": keys(steady), "moving": keys(moving, window=2, source="X")},
             {"steady": keys(steady), "moving": keys(spare)},
             {"steady": keys(steady), "moving": keys(spare, binds=2)},
             {"steady": keys(steady)}]
    gateway, account = world.start(plans[0], routes=routes)
    over = threading.Event()
    counts = collections.Counter()
    numbers = []

    def send_on():
        client = account.client()
        while not over.is_set():
            to = number()
            numbers.append(to)
            counts["asked"] += 1
            flat = client.execute_command("PIN.SEND", account.app, account.message, to, "PLACEHOLDER", "q", ".")
            counts[dict(zip(flat[::2], flat[1::2]))[b"smsStatus"]] += 1

    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(send_on) for _ in range(4)]
        for plan in (plans[1:] + plans[:1]) * 3:
            reload(gateway, plan, routes=routes if "moving" in plan else
                   {"default": {"prefixes": [""], "carriers": ["steady"]}})
            if "moving" in plan:  # a quick machine would be at the next reload before it is up
                gateway.wait_bound("moving")
            seen = counts["asked"]
            wait_for(lambda: counts["asked"] >= seen + 20, lambda: f"sends go on: {counts}")
        over.set()
        for loop in loops:
            loop.result()
    assert counts["asked"] == counts[b"MESSAGE_SENT"], counts
    submits = collections.Counter(e["dst"] for smsc in (steady, moving, spare) for e in smsc.events("submit"))
    assert set(submits) == set(numbers) and max(submits.values()) == 1
    assert connections(steady) == 1 and not steady.events("unbind")
    assert moving.events("submit") and spare.events("submit")


def test_two_reloads_at_once_are_both_done(world):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": first})
    gateway.configure({"first": keys(first), "second": keys(second)})
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: gateway.ctl("reload"), range(4)))
    assert sorted(s["added"] for s in said) == [[], [], [], ["second"]]
    gateway.wait_bound("first", "second")
    goes_to(account, first)


def test_what_is_in_flight_reads_in_doubt_by_the_new_time_out(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": keys(smsc, response_timeout_s=1)}, top={"send_deadline_ms": 300})
    assert reload(gateway, {"acme": keys(smsc, response_timeout_s=60)}, top={"send_deadline_ms": 300}) == {
        "changed": ["acme"]}
    started = time.monotonic()
    sent = account.send(number())
    wait_for(lambda: time.monotonic() - started > 1.5, "the old time-out over")
    assert account.attempts(sent["pinId"])[-1]["state"] == "PENDING"
    assert reload(gateway, {"acme": keys(smsc, response_timeout_s=1)}) == {"changed": ["acme"]}
    account.wait_attempt(sent["pinId"], "IN_DOUBT")


def test_systemd_is_told(world, monkeypatch):
    path = world.folder / "notify.sock"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10 * SLOW)
        smsc = world.node("smsc")
        gateway, account = world.start({"acme": smsc})

        def heard(prefix):
            while not (said := notify.recv(4096).decode()).startswith(prefix):
                pass
            return said
        heard("READY=1")
        gateway.program.signal(signal.SIGHUP)
        before = int(heard("RELOADING=1\nMONOTONIC_USEC=").split("=")[-1])
        assert abs(time.monotonic_ns() // 1000 - before) < 10_000_000 * SLOW
        heard("READY=1")
        gateway.file.write_text("nonsense")
        refused(gateway)
        heard("RELOADING=1")
        heard("READY=1")
        assert gateway.stop() == 0
        heard("STOPPING=1")


# --- a bad file ---


@pytest.mark.parametrize("wrong, sentence", [
    (lambda t: t.replace("window = 10", "window = 0"), r"pinbind\.conf:\d+: carrier acme: window: 0 is out of range"),
    (lambda t: t.replace("carriers = {\"acme\"}", "carriers = {\"acne\"}"), r"\.conf:\d+: route default: carriers: "),
    (lambda t: t.replace("}", "", 1), r"pinbind\.conf:\d+"),
    (lambda t: t + "nonsense = 1\n", r"pinbind\.conf:\d+: .*nonsense"),
    (lambda t: "", r"pinbind\.conf"),
], ids=["range", "reference", "unclosed", "unknown", "empty"])
def test_a_bad_file_changes_nothing_and_says_why(world, wrong, sentence):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc, window=10)}, top={"send_deadline_ms": 4000})
    before = gateway.ctl("config")
    good = gateway.file.read_text()
    changed = good.replace("send_deadline_ms = 4000", "send_deadline_ms = 5000")
    gateway.file.write_text(wrong(changed))
    assert re.search(sentence, refused(gateway))
    gateway.program.signal(signal.SIGHUP)
    gateway.wait_log("event=reload_refused", count=2)
    assert gateway.ctl("config") == before
    goes_to(account, smsc)
    gateway.file.write_text(good)
    assert gateway.ctl("reload") == NOTHING
    assert connections(smsc) == 1


def test_a_pipe_in_place_of_a_file_does_not_stop_the_gateway(world):
    smsc = world.node("smsc")
    make_certificate(world.folder, "x")
    files = {"cert": world.folder / "http.pem", "key": world.folder / "http.key"}
    gateway, account = world.start({"acme": keys(smsc)}, http={f"tls_{k}_file": path for k, path in files.items()})
    for path in (gateway.file, gateway.key_file, *files.values()):
        octets = path.read_bytes()
        path.unlink()
        os.mkfifo(path, 0o600)
        assert re.search(f"{path}.* not a regular file", refused(gateway))
        path.unlink()
        path.touch(0o600)
        path.write_bytes(octets)
    assert gateway.ctl("reload") == NOTHING
    goes_to(account, smsc)


def test_a_folder_behind_a_link_is_the_one_that_it_leads_to_now(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": smsc})
    link, fresh = world.folder / "current", world.folder / "fresh"
    link.symlink_to(gateway.folder)
    fresh.mkdir()
    gateway.configure({"acme": keys(smsc, window=7)})
    gateway.file.rename(fresh / "pinbind.conf")
    gateway.configure({"acme": keys(smsc)})
    gateway.file = link / "pinbind.conf"
    gateway.start()
    link.unlink()
    link.symlink_to(fresh)
    assert {k: v for k, v in gateway.ctl("reload").items() if v} == {"changed": ["acme"]}


def test_a_file_that_is_not_there_changes_nothing(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    gateway.file.rename(gateway.folder / "away.conf")
    assert "pinbind.conf: cannot be opened" in refused(gateway)
    (gateway.folder / "away.conf").rename(gateway.file)
    goes_to(account, smsc)


# --- the other keys ---


def test_a_new_generation_of_keys_is_taken_over(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc)})

    def send():
        to = number()
        sent = account.send(to)
        return sent["pinId"], pin_in(smsc.wait_submits(to)[0]["text"])
    old = send()
    good = gateway.key_file.read_text()
    assert run([BUILD / "pinbindctl", "pinkey", "add", gateway.key_file])[0] == 0
    assert gateway.ctl("reload") == NOTHING
    new = send()
    with_both = gateway.key_file.read_text()
    gateway.key_file.write_text(with_both.replace(good.splitlines()[-1] + "\n", ""))
    assert re.search(r"pinbind\.conf:\d+: pin_key_file: ", refused(gateway))  # its PINs may be alive
    gateway.key_file.write_text("nonsense\n")
    gateway.configure({"acme": keys(smsc, source="X"), "more": keys(smsc)})
    assert "pin_key_file" in refused(gateway)
    assert len(rows(gateway, "more")) == 0 and "source = \\\"X" not in gateway.ctl("config")
    gateway.key_file.write_text(with_both)
    for pin_id, pin in (old, new):
        assert account.verify(pin_id, pin)["verified"] == 1


def test_keys_that_need_a_restart_are_named_and_stay(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc)}, top={"drain_timeout_s": 7})
    carriers = {"acme": keys(smsc)}
    said = reload(gateway, carriers, top={"node": "other", "pin_step_s": 60, "drain_timeout_s": 9},
                  store_keys={"timeout_ms": 555}, verify={"unix_mode": "0600", "max_connections": 55})
    assert said == {"needs_restart": ["node", "pin_step_s", "store timeout_ms", "verify_socket unix_mode"]}
    config = json.loads(gateway.ctl("config")).splitlines()
    for line in ('node = "gw"', "pin_step_s = 30", "drain_timeout_s = 9", "store: timeout_ms = 1000",
                 "verify_socket: unix_mode = 0660", "verify_socket: max_connections = 55"):
        assert line in config, line
    gateway.wait_log("needs_restart=")


def test_log_level_and_send_deadline_take_effect(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": keys(smsc, response_timeout_s=3)})
    assert reload(gateway, {"acme": keys(smsc, response_timeout_s=3)}, top={"send_deadline_ms": 500, "log_level": "info"}) == {}
    said = len(re.findall(" debug ", gateway.log()))
    started = time.monotonic()
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"  # in doubt, at the deadline
    assert time.monotonic() - started < 4 * SLOW
    assert len(re.findall(" debug ", gateway.log())) == said > 0


def test_limits_of_the_verify_socket_take_effect_on_open_connections(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": keys(smsc)})
    open_one = gateway.raw()
    assert open_one.call("AUTH", account.key) == "OK"
    verify = {"max_connections": 1, "max_bulk": 2000, "idle_timeout_s": 1}
    assert reload(gateway, {"acme": keys(smsc)}, verify=verify) == {}
    assert gateway.raw().is_closed()
    assert open_one.call("PING", "x" * 1999) == "x" * 1999
    assert open_one.is_closed()  # idle
    assert gateway.client(account.key).ping()


def make_certificate(folder, name):
    code, out, err = run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-keyout", folder / "http.key", "-out", folder / "http.pem", "-subj", f"/CN={name}"])
    assert code == 0, err
    (folder / "http.key").chmod(0o600)
    return (folder / "http.pem").read_text()


def test_a_certificate_is_taken_over_and_a_bad_one_is_not(world):
    smsc = world.node("smsc")
    http = {"tls_cert_file": world.folder / "http.pem", "tls_key_file": world.folder / "http.key"}

    def served():
        return ssl.get_server_certificate(("127.0.0.1", gateway.http_port))
    first = make_certificate(world.folder, "first")
    gateway, account = world.start({"acme": keys(smsc)}, http=http)
    assert served().strip() == first.strip()
    second = make_certificate(world.folder, "second")
    assert gateway.ctl("reload") == NOTHING
    assert served().strip() == second.strip() != first.strip()
    (world.folder / "http.pem").write_text("nonsense")
    gateway.configure({"more": keys(smsc), "acme": keys(smsc)}, http=http)
    assert "http.pem" in refused(gateway)
    assert served().strip() == second.strip() and not rows(gateway, "more")
    (world.folder / "http.pem").write_text(second)
    # An open door keeps its TLS: to be without needs a restart.  What the file no longer names is not read.
    (world.folder / "http.pem").unlink()
    assert reload(gateway, {"acme": keys(smsc)}, http={}) == {
        "needs_restart": ["http tls_cert_file", "http tls_key_file"]}
    assert served().strip() == second.strip()


# --- drain ---


def test_drain_by_pinbindctl_answers_at_once_then_the_process_ends(world):
    smsc = world.node("smsc", "--resp-delay", "1500")
    gateway, account = world.start({"acme": smsc})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, to := number())
        smsc.wait_submits(to)
        assert gateway.ctl("drain") == {"draining": True}
        assert gateway.ctl("drain") == {"draining": True}  # no second signal: it is not cut short
        assert "shutting down" in refused(gateway)
        gateway.program.signal(signal.SIGHUP)
        gateway.wait_log("event=reload_refused by=SIGHUP")
        assert answer.result()["smsStatus"] == "MESSAGE_SENT"
    assert gateway.program.wait() == 0
    assert len(smsc.events("unbind")) == 1 and "drain_cut_short" not in gateway.log()


def test_a_drain_has_a_bound_and_reload_sets_it(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": keys(smsc)})
    assert reload(gateway, {"acme": keys(smsc)}, top={"drain_timeout_s": 1}) == {}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: pytest.raises((redis.RedisError, OSError), account.send, number()))
        smsc.wait_received(wire.SUBMIT)
        started = time.monotonic()
        gateway.ctl("drain")
        assert gateway.program.wait(10) == 0
        assert 0.9 < time.monotonic() - started < 5 * SLOW
        answer.exception()
    assert "event=drain_cut_short" in gateway.log()


def test_a_drain_that_is_cut_short_for_silent_clients_ends_within_its_bound(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc}, http={}, top={"drain_timeout_s": 1})
    clients = [socket.create_connection(("127.0.0.1", port)) for port in (gateway.http_port, gateway.noc_port)]
    for client in clients:
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
    gateway.ctl("info")  # they are through the doors
    assert gateway.stop() == 0
    assert "event=drain_cut_short" in gateway.log()
    assert "event=drained" not in gateway.log()  # what looks for it looks at doors that are gone


@pytest.mark.parametrize("alone", [True, False])
def test_a_drain_while_a_carrier_that_leaves_still_drains(world, alone):
    """Its successor never binds, whichever of flow and bind is over first."""
    held = []
    smsc = world.scripted(on_submit=lambda s, sequence, fields: held.append(sequence))
    other = world.node("other")
    more = {} if alone else {"other": keys(other)}
    gateway, account = world.start({"acme": keys(smsc), **more})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(account.send, number())
        wait_for(lambda: held, "a message in flight")
        assert reload(gateway, {"acme": keys(other), **more}) == {"rebound": ["acme"]}
        gateway.ctl("drain")
        smsc.accept(held[0])
        assert answer.result()["smsStatus"] == "MESSAGE_SENT"
    assert gateway.program.wait() == 0
    smsc.wait_received(wire.UNBIND)
    assert len(other.events("bind")) == len(more) and "drain_cut_short" not in gateway.log()


def test_a_person_reads_what_has_changed(world):
    first, second = world.node("first"), world.node("second")
    gateway, account = world.start({"first": first})
    gateway.configure({"first": keys(first, window=3), "second": keys(second)}, top={"node": "x"})
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "reload"])
    assert (code, err) == (0, "")
    assert out.splitlines() == ["added: second", "changed: first", "needs_restart: node"]
    gateway.configure({"first": keys(first, window=3), "second": keys(second)})
    assert run([BUILD / "pinbindctl", "-s", gateway.admin_path, "reload"])[1] == "done\n"
