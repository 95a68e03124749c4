"""Redis away, answers lost, gateways killed: no verdict changes and nobody gets two messages."""
from concurrent.futures import ThreadPoolExecutor
import time

import pytest
import redis

from procs import wait_for
from world import Account, number, pin_in


@pytest.fixture
def lossy(world):
    """A gateway whose answers from Redis can be lost: (smsc, gateway, account, proxy)."""
    server = world.redis()
    proxy = world.redis_proxy(server)
    smsc = world.node("smsc")
    store = world.redis_store(proxy.port)
    store["store_keys"]["timeout_ms"] = 300
    gateway, account = world.start({"acme": smsc}, **store)
    warm = account.send(number())  # every script is loaded: it is answers that get lost, not NOSCRIPT
    account.wait_attempt(warm["pinId"], "DELIVERED")
    account.verify(warm["pinId"], "no")
    account.resend(warm["pinId"])
    account.wait_attempt(warm["pinId"], "DELIVERED")
    return smsc, gateway, account, proxy


def acts(proxy):
    """Names of the scripts that ran so far."""
    return [e["name"] for e in proxy.events("command") if e["name"].islower()]


@pytest.mark.parametrize("how", ["cut", "hold"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_lost_answer_of_a_send_costs_one_sms_at_most_and_the_verdict_stands(lossy, nth, how):
    """Loses the nth answer of a whole flow, whichever act it belongs to."""
    smsc, gateway, account, proxy = lossy
    seen = len(acts(proxy))
    to = number()
    reference = account.send(to)
    account.wait_attempt(reference["pinId"], "DELIVERED")
    flow = acts(proxy)[seen:]
    flow = [name for name in flow if name != "ledger_status"]
    if nth > len(flow):
        return  # the flow has fewer acts
    name = flow[nth - 1]
    proxy.swallow(name, flow[:nth].count(name), how)
    to = number()
    try:
        sent = account.send(to)
    except redis.ResponseError as e:
        # open with an unknown fate: nothing was submitted
        assert str(e).startswith("UNAVAILABLE"), e
        assert smsc.submits(to) == []
        return
    assert sent["smsStatus"] == "MESSAGE_SENT"
    account.wait_attempt(sent["pinId"], "DELIVERED", seconds=15)
    # the last act comes after the state that was waited for; then the store has to be there again
    wait_for(lambda: len(proxy.events("swallowed")) == 1, lambda: f"one answer swallowed of {flow}")
    account.wait_status(sent["pinId"], lambda s: len(s["attempts"]) == 1, "one attempt")
    assert len(smsc.submits(to)) == 1
    pin = pin_in(smsc.submits(to)[0]["text"])
    assert account.verify(sent["pinId"], pin)["verified"] == 1


@pytest.mark.parametrize("how", ["cut", "hold"])
@pytest.mark.parametrize("typed,settings,expected", [
    ("right", {}, {"verified": 1, "attemptsRemaining": 0}),
    ("right", {"allowMultiplePinVerifications": "false"}, {"verified": 1, "attemptsRemaining": 0}),
    ("wrong", {}, {"verified": 0, "attemptsRemaining": 9, "pinError": "WRONG_PIN"}),
    ("wrong", {"pinAttempts": "1"}, {"verified": 0, "attemptsRemaining": 0, "pinError": "WRONG_PIN"}),
    ("wrong", {"verifyPinLimit": "1/1h"}, {"verified": 0, "attemptsRemaining": 9, "pinError": "WRONG_PIN"}),
])
def test_a_lost_answer_of_verify_changes_no_verdict(lossy, how, typed, settings, expected):
    smsc, gateway, account, proxy = lossy
    app = account.new_app(settings)
    message = account.new_message("--length", "8", app=app)
    to = number()
    client = account.client()
    sent = client.execute_command("PIN.SEND", app, message, to, "PLACEHOLDER", "q", ".")
    pin_id = sent[1].decode()
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    proxy.swallow("ledger_verify", 1, how)
    answer = account.verify(pin_id, pin if typed == "right" else "no")
    assert len(proxy.events("swallowed")) == 1
    assert {k: answer[k] for k in answer if k not in ("pinId", "msisdn")} == expected
    assert account.status(pin_id)["attemptsRemaining"] == expected["attemptsRemaining"] or expected["verified"]


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_a_lost_answer_of_a_resend_sends_once_more_at_most(lossy, how):
    smsc, gateway, account, proxy = lossy
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    proxy.swallow("ledger_attempt", 1, how)
    try:
        assert account.resend(sent["pinId"])["smsStatus"] == "MESSAGE_SENT"
        assert len(smsc.wait_submits(to, 2)) == 2
    except redis.ResponseError as e:
        assert str(e).startswith("UNAVAILABLE")
        assert len(smsc.submits(to)) == 1
    assert len(proxy.events("swallowed")) == 1
    assert len({pin_in(s["text"]) for s in smsc.submits(to)}) == 1
    account.wait_status(sent["pinId"], lambda s: len(s["attempts"]) == 2, "two attempts")


def test_lost_answers_count_a_send_once(lossy):
    smsc, gateway, account, proxy = lossy
    app = account.new_app({"sendPinPerPhoneNumberLimit": "2/1h"})
    message = account.new_message("--length", "8", app=app)
    to = number()
    client = account.client()
    words = ("PIN.SEND", app, message, to, "PLACEHOLDER", "q", ".")
    proxy.swallow("ledger_open", 1, "cut")
    client.execute_command(*words)
    client.execute_command(*words)
    with pytest.raises(redis.ResponseError, match="^TOO_MANY_REQUESTS"):
        client.execute_command(*words)
    assert len(smsc.submits(to)) == 2


def test_redis_away_is_unavailable_at_once_and_comes_back(world):
    server = world.redis()
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc}, **world.redis_store(server.port))
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    pin = pin_in(smsc.submits(to)[0]["text"])
    client = account.client()
    client.ping()
    server.stop()
    for words in (("PIN.VERIFY", sent["pinId"], pin), ("PIN.STATUS", sent["pinId"]),
                  ("PIN.SEND", account.app, account.message, number(), "PLACEHOLDER", "q", ".")):
        started = time.monotonic()
        with pytest.raises(redis.ResponseError, match="^UNAVAILABLE"):
            client.execute_command(*words)
        assert time.monotonic() - started < 5
    assert client.ping() and gateway.binds()[0]["state"] == "BOUND"
    assert len(smsc.events("submit")) == 1
    server.start()

    def verified():
        try:
            return account.verify(sent["pinId"], pin)["verified"] == 1
        except redis.ResponseError as e:
            assert str(e).startswith("UNAVAILABLE")
            return False
    wait_for(verified, "the verdict after Redis came back")
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"


def test_a_receipt_while_redis_is_away_is_deferred_to_the_operator(world):
    server = world.redis()
    smsc = world.node("smsc", "--dlr-delay", "1500")
    gateway, account = world.start({"acme": smsc}, **world.redis_store(server.port))
    account.send(number())
    server.stop()
    # kept for a while, then ESME_RX_T_APPN, so that the operator sends it again: never ESME_ROK
    answers = wait_for(lambda: smsc.events("resp", cmd="deliver_sm_resp"), "an answer to the receipt", 20)
    assert answers[0]["st"] == 0x64


def test_the_start_waits_for_redis_and_says_what_is_wrong(world):
    server = world.redis()
    store = world.redis_store(server.port)
    store["store_keys"]["password_file"].write_text("wrong\n")
    smsc = world.node("smsc")
    gateway = world.gateway({"acme": smsc}, **store).start(ready=False)
    wait_for(lambda: "WRONGPASS" in gateway.log() or "password" in gateway.log() or
             gateway.program.popen.poll() is not None, lambda: gateway.log())
    assert "wrong\n" not in gateway.log()


def test_the_embedded_redis_survives_kill_of_the_gateway_and_is_adopted(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    numbers = [number() for _ in range(5)]
    sent = [account.send(to) for to in numbers]
    gateway.kill()
    gateway.start()
    for s, to in zip(sent, numbers):
        assert account.verify(s["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    assert gateway.stop() == 0


def test_what_was_answered_sent_survives_kill_at_any_moment(world):
    smsc = world.node("smsc", "--dlr", "none")
    gateway, account = world.start({"acme": smsc})
    sent = []

    def send(to):
        try:
            sent.append((to, account.send(to)))
        except (redis.RedisError, OSError):
            pass  # no answer: nothing was promised
    for _ in range(2):
        with ThreadPoolExecutor(10) as pool:
            for to in [number() for _ in range(60)]:
                pool.submit(send, to)
            wait_for(lambda: len(sent) > 10, "some answers")
            gateway.kill()
        gateway.start()
        for to, answer in sent:
            assert answer["smsStatus"] == "MESSAGE_SENT"
            pins = {pin_in(s["text"]) for s in smsc.submits(to)}
            assert len(smsc.submits(to)) == 1
            assert account.verify(answer["pinId"], pins.pop())["verified"] == 1
        sent.clear()


def test_a_second_gateway_on_the_same_embedded_folder_is_refused(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc})
    other = world.gateway({"acme": smsc}, name="other", store=f"embedded:{gateway.folder}/redis").start(ready=False)
    wait_for(lambda: other.program.popen.poll() is not None or "event=ready" in other.log(), "an end or a start", 15)
    assert other.program.popen.returncode == 1, other.log()
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")


def test_two_gateways_on_one_redis_know_the_same_pins(world):
    server = world.redis()
    smsc = world.node("smsc")
    one = world.gateway({"acme": smsc}, name="one", **world.redis_store(server.port)).start()
    two = world.gateway({"acme": smsc}, name="two", **world.redis_store(server.port)).start()
    account = Account(one, "demo")
    to = number()
    sent = account.send(to)
    pin = pin_in(smsc.submits(to)[0]["text"])
    account.wait_attempt(sent["pinId"], "DELIVERED")
    account.gateway = two
    assert account.verify(sent["pinId"], pin)["verified"] == 1
    # sent at two: the receipt comes to either bind
    to = number()
    sent = account.send(to)
    account.wait_attempt(sent["pinId"], "DELIVERED")
    one.stop()
    assert account.verify(sent["pinId"], pin_in(smsc.submits(to)[0]["text"]))["verified"] == 1
