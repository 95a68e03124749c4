"""What binds are: pairs of a transmitter and a receiver, one kind alone, and what operators make of them."""
from concurrent.futures import ThreadPoolExecutor
import re
import socket
import threading
import urllib.error
import urllib.request

import pytest
import redis

import wire
from procs import BUILD, run, wait_for
from test_metrics import scrape, value
from smsc import NodeSmsc
from world import Account, free_port, number

PAIR = "transmitter+receiver"


def pair(smsc, **keys):
    return {"port": smsc.port, "bind": PAIR, **keys}


def row(gateway, name):
    return next(b for b in gateway.binds() if b["name"] == name)


def test_q63_submits_go_on_the_transmitter_and_receipts_come_on_the_receiver(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": pair(smsc)})
    assert sorted(e["mode"] for e in smsc.events("bind", st=0)) == ["rx", "tx"]
    for _ in range(5):
        account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    tx, rx = row(gateway, "0tx"), row(gateway, "0rx")
    assert (tx["mode"], tx["submits"], tx["receipts"]) == ("transmitter", 5, 0)
    assert (rx["mode"], rx["submits"], rx["receipts"]) == ("receiver", 0, 5)
    assert tx["up"] and rx["up"] and tx["bind"] == rx["bind"] == 0


def test_q63_a_pair_of_which_the_operator_permits_one_leg_sends_nothing(world):
    smsc = world.node("smsc", "--max-binds", "1")
    gateway = world.gateway({"acme": pair(smsc)}, http={}).start(bound=[])
    account = Account(gateway, "demo")
    wait_for(lambda: smsc.events("bind", st=5), "a leg refused")
    wait_for(lambda: sorted(b["state"] for b in gateway.binds()) == ["BOUND", "IDLE"], gateway.binds)
    assert not any(b["up"] for b in gateway.binds())
    with pytest.raises(redis.ResponseError, match="^UNAVAILABLE"):
        account.send(number())
    assert not smsc.events("submit")


class Load:
    """Threads that send until they are told to stop; every send is to a number of its own."""

    def __init__(self, account, threads=6):
        self.account, self.sent, self.refused = account, [], []
        self.stopping = threading.Event()
        self.pool = ThreadPoolExecutor(threads)
        self.futures = [self.pool.submit(self._run) for _ in range(threads)]

    def _run(self):
        while not self.stopping.is_set():
            to = number()
            try:
                answer = self.account.send(to)
            except redis.ResponseError as e:
                assert str(e).startswith("UNAVAILABLE"), e
                self.refused.append(to)
                continue
            if answer["smsStatus"] == "MESSAGE_SENT":
                self.sent.append((to, answer["pinId"]))
            else:
                self.refused.append(to)

    def reach(self, count):
        wait_for(lambda: len(self.sent) >= count or any(f.done() for f in self.futures),
                 lambda: f"{count} sends; there are {len(self.sent)}", 30)

    def stop(self):
        self.stopping.set()
        for f in self.futures:
            f.result()


@pytest.mark.parametrize("leg", ["rx", "tx"])
def test_q63_a_pair_that_loses_a_leg_under_load_loses_and_doubles_nothing(world, leg):
    smsc = world.node("smsc", "--dlr-retry", "100", "--resp-delay", "3")
    gateway, account = world.start({"acme": pair(smsc, window=20)})
    other = "tx" if leg == "rx" else "rx"
    load = Load(account)
    for i in range(1, 4):
        load.reach(len(load.sent) + 60)
        smsc.relay.cut(wire.BIND_RX if leg == "rx" else wire.BIND_TX)
        wait_for(lambda: len(smsc.events("bind", mode=leg, st=0)) > i, f"{leg} number {i + 1}")
        gateway.wait_bound("acme")
    load.reach(len(load.sent) + 60)
    load.stop()
    assert len(smsc.events("bind", mode=other, st=0)) == 1  # stayed
    in_doubt = 0
    for to, pin_id in load.sent:
        assert len(smsc.submits(to)) <= 1  # the cut may have come before the SMSC had it
        state = account.attempts(pin_id)[-1]["state"]
        if state == "IN_DOUBT":
            in_doubt += 1
        else:
            account.wait_attempt(pin_id, "DELIVERED")
    assert not [to for to in load.refused if smsc.submits(to)]
    assert in_doubt == 0 if leg == "rx" else in_doubt <= 3 * 20
    assert row(gateway, "0tx")["receipts"] == 0


def test_q63_a_receiver_takes_the_receipts_of_another_gateways_transmitter(world):
    smsc = world.node("smsc")
    store = world.redis_store(world.redis().port)
    sender = world.gateway({"acme": {"port": smsc.port, "bind": "transmitter"}}, "gw1", **store).start()
    account = Account(sender, "demo")
    taker = world.gateway({"acme": {"port": smsc.port, "bind": "receiver"}, "other": {"port": 1}}, "gw2",
                          routes={"default": {"prefixes": [""], "carriers": ["other"]}}, **store).start(bound=["acme"])
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    assert [b["receipts"] for b in taker.binds() if b["carrier"] == "acme"] == [1]
    assert [b["receipts"] for b in sender.binds()] == [0]


def test_q63_a_gateway_with_a_receiver_alone_is_not_ready_to_send(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": {"port": smsc.port, "bind": "receiver"}, "away": {"port": 1}}, http={},
                            routes={"default": {"prefixes": [""], "carriers": ["away"]}}).start(bound=["acme"])
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(gateway.url("/readyz/send", noc=True))
    assert e.value.code == 503


@pytest.mark.parametrize("option", ["--no-version-tlv", "--no-system-id"])
def test_q65_a_bind_response_that_tells_no_version_binds(world, option):
    smsc = world.node("smsc", option)
    gateway, account = world.start({"acme": smsc})
    assert gateway.binds()[0]["version"] is None
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


@pytest.mark.parametrize("version, octet", [("3.3", 0x33), ("5.0", 0x50)])
def test_q65_the_bind_asks_for_the_version_that_is_configured(world, version, octet):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": pair(smsc, interface_version=version)})
    assert {e["ver"] for e in smsc.events("bind")} == {octet}
    assert {b["version"] for b in gateway.binds()} == {"3.4"}
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


def test_q59_a_slow_bind_is_waited_for_and_nothing_else_is_said(world):
    smsc = world.node("smsc", "--bind-delay", "3000")
    world.gateway({"acme": {"port": smsc.port, "enquire_link_s": 2}}).start()
    assert [wire.header(p)[0] for p in smsc.relay.sent()] == [wire.BIND_TRX]


def test_q59_a_bind_that_is_never_answered_is_given_up_and_tried_again(world):
    smsc = world.scripted(on_bind=lambda s, sequence: None)
    gateway = world.gateway({"acme": {"port": smsc.port, "bind_timeout_ms": 300}}).start(bound=[])
    smsc.wait_received(wire.BIND_TRX, 2)
    assert {e[0] for e in smsc.log} == {wire.BIND_TRX}
    gateway.wait_log("timeout")


def test_q57_refused_credentials_are_counted_for_alerts(world):
    smsc = world.node("smsc", "--lock-after", "3")
    gateway = world.gateway({"acme": {"port": smsc.port, "password": "wrongpw"}}, http={}).start(bound=[])
    series = {"carrier": "acme", "bind": "0", "result": "credentials"}
    wait_for(lambda: value(scrape(gateway)[1], "pinbind_bind_attempts_total", **series) == 1, "one attempt counted")
    assert value(scrape(gateway)[1], "pinbind_bind_attempts_total", **{**series, "result": "bound"}) == 0
    assert "event=bind_refused" in gateway.log() and "error" in next(
        line for line in gateway.log().splitlines() if "event=bind_refused" in line)


def test_q58_the_reasons_of_disconnects_are_counted(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc}, http={})
    smsc.relay.cut()
    wait_for(lambda: len(smsc.events("bind", st=0)) == 2, "a second bind")
    gateway.wait_bound("acme")
    account.send(number(), q="unbind")

    def counted(reason):
        return value(scrape(gateway)[1], "pinbind_disconnects_total", carrier="acme", bind="0", reason=reason)
    wait_for(lambda: counted("unbind") == 1, "an unbind counted")
    assert counted("lost") == 1


def test_another_kind_of_bind_binds_anew_at_a_reload(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": {"port": smsc.port}})
    gateway.configure({"acme": pair(smsc)})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    wait_for(lambda: len(gateway.binds()) == 2 and all(b["up"] for b in gateway.binds()), gateway.binds)
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    assert len(smsc.events("unbind")) == 1


def test_the_legs_of_a_pair_unbind_when_the_gateway_ends(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": pair(smsc)})
    account.send(number())
    assert gateway.stop() == 0
    assert len(smsc.events("unbind")) == 2


class Caller:
    """An SMSC that dials the gateway, says outbind and gives receipts to what binds there."""

    def __init__(self, port, system_id=b"smsc", password=b"letmein"):
        wait_for(lambda: self._connect(port), "the gateway listens")
        self.buffer = bytearray()
        self.socket.sendall(wire.pdu(wire.OUTBIND, 0, 1, system_id + b"\0" + password + b"\0"))

    def _connect(self, port):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
            return True
        except OSError:
            return False

    def take(self):
        """The next PDU; None when the gateway has closed."""
        while not (whole := next(wire.split(self.buffer), None)):
            octets = self.socket.recv(65536)
            if not octets:
                return None
            self.buffer += octets
        return whole

    def bound(self, command):
        whole = self.take()
        assert wire.header(whole)[0] == command
        self.socket.sendall(wire.pdu(command | 0x80000000, 0, wire.header(whole)[2], b"smsc\0"))
        return whole


def outbind_keys(door, **keys):
    return {"outbind_listen": f"127.0.0.1:{door}", "outbind_system_id": "smsc", "outbind_password": "letmein", **keys}


def test_q64_an_outbind_is_answered_with_a_bind_and_receipts_come_over_it(world):
    port = free_port()
    smsc = world.node("smsc", "--dlr", "none", "--id", "dec")
    gateway = world.gateway({"acme": outbind_keys(port, port=smsc.port, bind=PAIR)}, http={}).start(bound=[])
    wait_for(lambda: row(gateway, "0rx")["awaits_outbind"] and row(gateway, "0tx")["state"] == "BOUND", gateway.binds)
    assert ", awaits outbind\n" in run([BUILD / "pinbindctl", "-s", gateway.admin_path, "binds"])[1]
    wrong = Caller(port, password=b"letmeout")
    assert wrong.take() is None
    caller = Caller(port)
    bind = caller.bound(wire.BIND_RX)
    assert NodeSmsc.USER.encode() in bind
    gateway.wait_bound("acme")
    account = Account(gateway, "demo")
    to = number()
    sent = account.send(to)
    message_id = smsc.wait_submits(to)[0]["id"]
    caller.socket.sendall(wire.deliver(7, to, "PINBIND", wire.receipt_text(message_id)))
    account.wait_attempt(sent["pinId"], "DELIVERED")
    assert wire.header(caller.take())[:2] == (wire.DELIVER_RESP, 0)
    page, samples = scrape(gateway)
    assert value(samples, "pinbind_outbind_listening", carrier="acme") == 1
    assert value(samples, "pinbind_bind_up", carrier="acme", bind="0rx") == 1
    assert value(samples, "pinbind_outbinds_total", carrier="acme", result="taken") == 1
    assert value(samples, "pinbind_outbinds_total", carrier="acme", result="credentials") == 1
    assert "letmein" not in gateway.log() and "letmein" not in gateway.ctl("config")


def test_q64_a_reload_takes_the_door_over(world):
    port = free_port()
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": outbind_keys(port, port=smsc.port, bind="receiver"), "trx": smsc},
                            routes={"default": {"prefixes": [""], "carriers": ["trx"]}}).start(bound=["trx"])
    first = Caller(port)
    first.bound(wire.BIND_RX)
    gateway.wait_bound("acme")
    gateway.configure({"acme": outbind_keys(port, port=smsc.port, bind="receiver", outbind_password="another1"),
                       "trx": {"port": smsc.port}},
                      routes={"default": {"prefixes": [""], "carriers": ["trx"]}})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    whole = first.take()
    assert wire.header(whole)[0] == wire.UNBIND
    first.socket.sendall(wire.pdu(wire.UNBIND_RESP, 0, wire.header(whole)[2]))
    assert first.take() is None
    assert Caller(port).take() is None
    second = Caller(port, password=b"another1")
    second.bound(wire.BIND_RX)
    gateway.wait_bound("acme")
    gateway.wait_log("outbind_listening", count=2)


@pytest.mark.parametrize("quirk", ["outbind", "alert"])
def test_q64_an_outbind_on_a_bind_of_ours_means_nothing(world, quirk):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    account.wait_attempt(account.send(number(), q=quirk)["pinId"], "DELIVERED")
    assert len(smsc.events("bind")) == 1 and gateway.binds()[0]["state"] == "BOUND"


# --- what operators do -------------------------------------------------------------------------------

def act(gateway, *words):
    return [b["did"] for b in gateway.ctl("bind", *words)]


def test_q57_a_password_put_right_at_the_operator_binds_at_once_with_retry_now(world):
    smsc = world.node("smsc", "--lock-after", "1", "--lock-ms", "1")
    gateway = world.gateway({"acme": {"port": smsc.port, "password": "wrongpw"}}).start(bound=[])
    wait_for(lambda: (gateway.binds()[0]["next_attempt_s"] or 0) > 200, gateway.binds)
    smsc.stop()
    smsc.start("--pass", "wrongpw")  # the operator has it as we have it, now
    assert act(gateway, "acme", "retry-now") == ["binds now"]
    gateway.wait_bound("acme")
    assert act(gateway, "acme/0", "retry-now") == ["is bound"]


def test_q57_a_bind_that_was_bound_already_takes_the_place_that_is_free_with_retry_now(world):
    smsc = world.node("smsc", "--max-binds", "1")
    gateway = world.gateway({"acme": {"port": smsc.port, "binds": 2}}).start(bound=[])
    wait_for(lambda: sorted(b["state"] == "BOUND" for b in gateway.binds()) == [False, True], gateway.binds)
    wait_for(lambda: max(b["next_attempt_s"] or 0 for b in gateway.binds()) > 10, gateway.binds)
    up, away = (0, 1) if gateway.binds()[0]["up"] else (1, 0)
    assert act(gateway, f"acme/{up}", "down") == ["unbinds, then is down"]
    wait_for(lambda: gateway.binds()[up]["state"] == "IDLE", gateway.binds)
    assert act(gateway, f"acme/{away}", "retry-now") == ["binds now"]
    wait_for(lambda: gateway.binds()[away]["state"] == "BOUND", gateway.binds)
    assert gateway.binds()[up]["down"] is True


@pytest.mark.parametrize("kind", ["transceiver", PAIR])
def test_a_bind_taken_down_stays_so_over_reloads_until_it_is_taken_up(world, kind):
    smsc = world.node("smsc")
    legs = 2 if kind == PAIR else 1
    gateway, account = world.start({"acme": {"port": smsc.port, "bind": kind}})

    def settled():
        return all(b["state"] == "IDLE" and b["down"] for b in gateway.binds()) and len(gateway.binds()) == legs
    assert act(gateway, "acme", "down")[0] == "unbinds, then is down"
    wait_for(settled, gateway.binds)
    assert len(smsc.events("unbind")) == legs
    with pytest.raises(redis.ResponseError, match="^UNAVAILABLE"):
        account.send(number())
    gateway.configure({"acme": {"port": smsc.port, "bind": kind, "window": 5}})
    assert gateway.ctl("reload")["changed"] == ["acme"]
    gateway.configure({"acme": {"port": smsc.port, "bind": kind, "window": 5, "system_type": "OTP"}})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    wait_for(settled, gateway.binds)
    assert len(smsc.events("bind")) == legs
    assert act(gateway, "acme", "up") == ["binds now"] * legs
    gateway.wait_bound("acme")
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


def test_a_restart_under_load_loses_and_doubles_nothing(world):
    smsc = world.node("smsc", "--resp-delay", "3")
    gateway, account = world.start({"acme": {"port": smsc.port, "window": 20}})
    load = Load(account)
    for i in range(1, 4):
        load.reach(len(load.sent) + 40)
        assert act(gateway, "acme/0", "restart") == ["unbinds, then binds"]
        wait_for(lambda: len(smsc.events("bind", st=0)) > i, f"bind number {i + 1}")
        gateway.wait_bound("acme")
    load.reach(len(load.sent) + 40)
    load.stop()
    assert len(smsc.events("unbind")) == 3
    for to, pin_id in load.sent:
        assert len(smsc.submits(to)) == 1
        assert account.attempts(pin_id)[-1]["state"] != "IN_DOUBT"
    assert not [to for to in load.refused if smsc.submits(to)]


@pytest.mark.parametrize("words, said", [
    (("nobody", "up"), "there is no carrier nobody, but acme"),
    (("acme/2", "up"), "there is no bind acme/2, acme has 0 to 1"),
    (("acme/4294967296", "up"), "there is no bind acme/4294967296"),
    (("acme/-1", "up"), "there is no bind acme/-1"),
    (("acme/", "up"), "there is no bind acme/"),
    (("acme/0tx", "up"), "there is no bind acme/0tx"),
    (("acme", "upp"), "up, down, restart or retry-now is expected, not upp"),
    (("acme",), "a carrier and up, down, restart or retry-now are needed"),
    (("acme", "up", "0"), "too many words"),
])
def test_an_order_that_makes_no_sense_is_one_clear_sentence(world, words, said):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": {"port": smsc.port, "binds": 2}}).start()
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "bind", *words])
    assert code == 1 and said in err and err.count("\n") == 1 and not out


def test_the_answer_to_an_order_is_a_line_for_each_leg(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": pair(smsc)}).start()
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "bind", "acme/0", "down"])
    assert (code, err) == (0, "")
    assert out == "acme/0tx: unbinds, then is down\nacme/0rx: unbinds after its transmitter\n"


def test_people_see_a_table_with_a_row_for_each_leg(world):
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": pair(smsc), "operator-b-transit": {"port": free_port()}})
    gateway.start(bound=["acme"])
    wait_for(lambda: gateway.binds()[-1]["next_attempt_s"], "a wait")
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "binds"])
    head, *rows = out.splitlines()
    assert (code, err) == (0, "") and [row.split()[:2] for row in rows] == [
        ["acme", "0tx"], ["acme", "0rx"], ["operator-b-transit", "0"]]
    for row in rows:  # columns begin or end where their heads do
        assert row[head.index("MODE"):].startswith(("transmitter", "receiver", "transceiver"))
        assert row[:head.index("WINDOW") + 6].endswith("/10") and row[head.index("REASON") - 1] == " "
    run([BUILD / "pinbindctl", "-s", gateway.admin_path, "bind", "operator-b-transit", "down"])
    assert run([BUILD / "pinbindctl", "-s", gateway.admin_path, "binds"])[1].endswith(", down by order\n")
    assert rows[0].endswith("  bound") and re.search(r"next attempt in [0-9]+ s$", rows[2])
    assert len(head) < 140 and re.search(r"[0-9]T[0-9:]{8}Z ", rows[0])


def test_a_name_that_is_not_found_stands_in_the_reason(world):
    host = "smsc." + "x" * 64 + ".example"  # a label has 63 at most: no server is asked
    gateway = world.gateway({"acme": {"host": host, "port": 2775}}).start(bound=[])
    wait_for(lambda: row(gateway, "0")["reason"].startswith("smsc.xxxxx") and ": " in row(gateway, "0")["reason"], gateway.binds)


# --- peers that are there and are not ----------------------------------------------------------------


def test_q61_a_bind_whose_peer_answers_enquire_link_and_no_submit_is_left(world):
    smsc = world.scripted(on_submit=lambda s, sequence, fields: None)
    gateway, account = world.start({"acme": {"port": smsc.port, "response_timeout_s": 1, "enquire_link_s": 1,
                                             "window": 5}}, http={})
    with ThreadPoolExecutor(2) as pool:
        stopping = threading.Event()

        def keep_sending():
            while not stopping.is_set():
                try:
                    account.send(number())
                except redis.ResponseError as e:
                    assert str(e).startswith("UNAVAILABLE"), e
        senders = [pool.submit(keep_sending) for _ in range(2)]
        try:
            smsc.wait_received(wire.BIND_TRX, 2, 20)
        finally:
            stopping.set()
        for s in senders:
            s.result()
    gateway.wait_log("submits are not answered")
    counted = value(scrape(gateway)[1], "pinbind_disconnects_total", carrier="acme", bind="0", reason="mute")
    assert counted >= 1
    assert len({s["text"] for s in smsc.texts}) == len(smsc.texts)  # nothing went out twice


def test_q62_any_pdu_keeps_a_bind_that_answers_no_enquire_link(world):
    smsc = world.node("smsc", "--no-elink-resp", "--elink", "200")
    gateway, account = world.start({"acme": {"port": smsc.port, "enquire_link_s": 1, "response_timeout_s": 1}})
    wait_for(lambda: len(smsc.events("resp", cmd="enquire_link_resp")) > 20, "four seconds of enquire_link", 20)
    assert len(smsc.events("bind")) == 1


def test_q58_after_an_unbind_of_the_smsc_it_is_left_alone_for_a_while(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    account.send(number(), q="unbind")
    wait_for(lambda: (gateway.binds()[0]["next_attempt_s"] or 0) > 20, gateway.binds)
    assert len(smsc.events("bind")) == 1
    assert act(gateway, "acme", "retry-now") == ["binds now"]
    gateway.wait_bound("acme")
