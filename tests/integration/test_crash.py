"""kill -9 of the gateway and of Redis at random moments of a running load: nothing that was answered is lost.

PINBIND_CRASH_ROUNDS: kills of the gateway (default 50); PINBIND_SEED: of the moments and of what the clients do.
"""
import os
import random
import signal
import time

import pytest

import resp
from load import Cut, DOORS, Load, Promises, Refused, Witness
from procs import SLOW, wait_for
from world import number

ROUNDS = int(os.environ.get("PINBIND_CRASH_ROUNDS", "50"))
# Receipts and responses are late, so that a kill falls between any two of submit, response, receipt and its answer.
LATE = ("--resp-delay", "15", "--shuffle", "--dlr-delay", "60", "--dlr-retry", "300")


@pytest.fixture
def seed():
    seed = os.environ.get("PINBIND_SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"PINBIND_SEED={seed}")
    return seed


@pytest.fixture
def say(record_property):
    """One line of what was found, for the end of the run."""
    return lambda name, result: record_property(name, ", ".join(f"{k} {v}" for k, v in result.items()))


def start(world, smsc, redis):
    store = world.redis_store(redis.port) if redis else {"store": f"embedded:{world.folder}/store", "store_keys": {}}
    store["store_keys"]["parked_s"] = 3600
    carrier = {"port": smsc.peer_port, "window": 50}  # without the relay, whose work would slow the load down
    return world.start({"acme": carrier}, http={}, top={"log_level": "info"}, **store)


def client(world, redis):
    return redis.client() if redis else resp.client(world.folder / "store/redis.sock")


class Volley:
    """Fresh single-use PINs, each on a connection of its own, whose first verify the kill is to fall into."""

    def __init__(self, load):
        self.load = load
        self.doors = [door(load.gateway, load.account.key) for door in DOORS for _ in range(3)]
        self.sends = [load.new_send(door, number(), single=True) for door in self.doors]
        for door, send in zip(self.doors, self.sends):
            door.write(door.send_octets(*load.send_words(send)))
        for door, send in zip(self.doors, self.sends):
            load.note_sent(send, door.read())
        self.pins = [load.witness.pin(send.serial) for send in self.sends]

    def fire(self):
        for door, send, pin in zip(self.doors, self.sends, self.pins):
            send.verdicts.append("cut")
            door.write(door.verify_octets(send.pin_id, pin))

    def gather(self):
        for door, send in zip(self.doors, self.sends):
            try:
                self.load.note_verified(send, door.read())
            except (Cut, OSError):
                pass
            door.close()


def kill_and_start(load, witness, rng):
    """At a random event of the SMSC, now and then while it still starts."""
    gateway = load.gateway
    witness.wait_lines(witness.read().lines + rng.randrange(1, rng.choice((50, 300, 2000))))
    volley = Volley(load)
    volley.fire()
    time.sleep(rng.uniform(0, 0.003))  # random moments are what this test is made of
    gateway.kill()
    volley.gather()
    load.phase += 1
    if rng.random() < 0.1:
        gateway.start(ready=False)
        time.sleep(rng.uniform(0, 0.1))
        gateway.kill()
    gateway.start()


@pytest.mark.parametrize("kind,rounds", [("external", ROUNDS), ("embedded", (ROUNDS + 4) // 5)])
def test_what_was_answered_survives_kill_of_the_gateway(world, say, seed, kind, rounds):
    started = time.monotonic()
    rng = random.Random(seed)
    smsc = world.node("smsc", *LATE)
    redis = world.redis() if kind == "external" else None
    gateway, account = start(world, smsc, redis)
    witness = Witness(smsc)
    load = Load(gateway, account, DOORS, witness, seed).start()
    try:
        for _ in range(rounds):
            kill_and_start(load, witness, rng)
    finally:
        load.stop()
    witness.wait_acked()
    result = Promises(load, client(world, redis)).check()
    assert result["sent"] >= rounds and result["recorded"] >= result["sent"]
    assert redis or gateway.log().count("event=embedded_adopted") >= rounds
    say(f"{kind}, seed {seed}, {rounds} kills in {time.monotonic() - started:.0f} s", result)


class Probes:
    """A client at each door that asks while Redis is dead, and what it gets, when."""

    def __init__(self, load, doors):
        self.load = load
        self.doors = [door(load.gateway, load.account.key) for door in doors]
        self.sent = {}
        for door in self.doors:  # every door knows its key and its PIN before
            self.sent[door] = door.send(*load.apps[False], number(), "probe")["pinId"]
        self.took, self.recovered = [], []

    def ask(self):
        """For a second: refused each time, at once."""
        until = time.monotonic() + 1
        while time.monotonic() < until:
            for door in self.doors:
                for request in (lambda: door.verify(self.sent[door], "0"),
                                lambda: door.send(*self.load.apps[False], number(), "probe")):
                    started = time.monotonic()
                    with pytest.raises(Refused, match="UNAVAILABLE"):
                        request()
                    self.took.append(time.monotonic() - started)

    def wait_back(self):
        """Each door sends and verifies again."""
        started = time.monotonic()
        for door in self.doors:
            wait_for(lambda: self._is_served(door), f"the {door.name} door to serve again")
        self.recovered.append(time.monotonic() - started)

    def _is_served(self, door):
        try:
            door.send(*self.load.apps[False], number(), "probe")
            return "pinError" in door.verify(self.sent[door], "0")
        except Refused as e:
            assert e.code == "UNAVAILABLE", e
            return False

    def result(self):
        took = sorted(1000 * t for t in self.took) or [0]
        return {"asked_while_dead": len(self.took), "median_ms": round(took[len(took) // 2], 2), "slowest_ms": round(took[-1], 1),
                "back_after_s": [round(t, 2) for t in self.recovered]}


def kill_redis(load, witness, server, probes, redis):
    """kill -9 in the middle of the load; the embedded one is started again by the gateway."""
    witness.wait_lines(witness.read().lines + 200)
    away = load.gateway.log().count("event=store_away") + 1
    os.kill(server.info("server")["process_id"], signal.SIGKILL)
    if redis:
        redis.program.wait()
        load.gateway.wait_log("event=store_away", count=away)
        probes.ask()
        assert load.gateway.binds()[0]["state"] == "BOUND"
        redis.start()
    probes.wait_back()
    load.phase += 1


@pytest.mark.parametrize("kind", ["external", "embedded"])
def test_what_was_answered_survives_kill_of_redis(world, say, seed, kind):
    started = time.monotonic()
    smsc = world.node("smsc", *LATE)
    redis = world.redis() if kind == "external" else None
    gateway, account = start(world, smsc, redis)
    witness = Witness(smsc)
    load = Load(gateway, account, DOORS, witness, seed).start()
    server = client(world, redis)
    try:
        probes = Probes(load, DOORS)
        for _ in range(5):
            kill_redis(load, witness, server, probes, redis)
    finally:
        load.stop()
    witness.wait_acked()
    assert len(smsc.events("bind")) == 1 and not smsc.events("close"), "the bind did not stay"
    result = Promises(load, server).check()
    say(f"{kind} Redis, seed {seed}, 5 kills in {time.monotonic() - started:.0f} s", {**result, **probes.result()})
    assert result["sent"] > 100
    assert max(probes.took, default=0) < 0.9 * SLOW, "refused after the store's time-out, not at once"
    assert max(probes.recovered) < 10 * SLOW
