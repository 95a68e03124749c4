"""Many clients verify one PIN at the same moment, over every door of two gateways on one Redis.

The gateways are stopped while the requests are written and go on when all of them lie in their sockets.
"""
import signal

import pytest

from load import DOORS
from world import Account, World, number, pin_in

CLIENTS = 200
LIMITS = {"verifyPinLimit": "100000/1s", "sendPinPerPhoneNumberLimit": "100000/1d"}


class Rig:
    def __init__(self, world):
        self.smsc = world.node("smsc")
        store = world.redis_store(world.redis().port)
        self.gateways = [world.gateway({"acme": self.smsc}, name=name, http={}, **store).start() for name in ("one", "two")]
        self.account = Account(self.gateways[0], "demo")
        ways = [(door, gateway) for door in DOORS for gateway in self.gateways]
        self.doors = []
        for i in range(CLIENTS):
            door, gateway = ways[i % len(ways)]
            self.doors.append(door(gateway, self.account.key))

    def send(self, settings):
        """(pinId, PIN) of a new application's first message."""
        app = self.account.new_app({**LIMITS, **settings})
        to = number()
        message = self.account.new_message("--length", "8", app=app, text="Your code is {{pin}}")
        sent = self.account.send(to, app=app, message=message)
        assert sent["smsStatus"] == "MESSAGE_SENT"
        return sent["pinId"], pin_in(self.smsc.wait_submits(to)[0]["text"])

    def verify_at_once(self, pin_id, pins):
        """pins: what each client types; its answers in the same order."""
        for gateway in self.gateways:
            gateway.program.signal(signal.SIGSTOP)
        try:
            for door, pin in zip(self.doors, pins):
                door.write(door.verify_octets(pin_id, pin))
        finally:
            for gateway in self.gateways:
                gateway.program.signal(signal.SIGCONT)
        return [door.read() for door in self.doors]


@pytest.fixture(scope="module")
def rig():
    world = World()
    rig = Rig(world)
    yield rig
    rests = [door.leave() for door in rig.doors]
    world.close(False)
    assert not any(rests), "an answer that nothing asked for"


def verdicts(answers):
    return ["yes" if a["verified"] else a["pinError"] for a in answers]


@pytest.mark.parametrize("round", range(5))
def test_a_single_use_pin_is_verified_by_exactly_one_of_200(rig, round):
    pin_id, pin = rig.send({"allowMultiplePinVerifications": "false"})
    answers = rig.verify_at_once(pin_id, [pin] * CLIENTS)
    found = verdicts(answers)
    assert found.count("yes") == 1, found
    assert found.count("NO_MORE_PIN_ATTEMPTS") == CLIENTS - 1, found
    assert {a["pinId"] for a in answers} == {pin_id} and {a["attemptsRemaining"] for a in answers} == {0}
    status = rig.account.status(pin_id)
    assert status["state"] == "VERIFIED" and status["attemptsRemaining"] == 10


@pytest.mark.parametrize("round", range(3))
def test_200_guesses_have_as_many_attempts_as_one_client(rig, round):
    pin_id, pin = rig.send({"pinAttempts": "10"})
    answers = rig.verify_at_once(pin_id, [f"x{i}" for i in range(CLIENTS)])
    found = verdicts(answers)
    assert found.count("WRONG_PIN") == 10 and found.count("NO_MORE_PIN_ATTEMPTS") == CLIENTS - 10, found
    assert sorted(a["attemptsRemaining"] for a in answers if a["pinError"] == "WRONG_PIN") == list(range(10))
    assert rig.account.verify(pin_id, pin)["pinError"] == "NO_MORE_PIN_ATTEMPTS"


@pytest.mark.parametrize("round", range(3))
def test_the_right_one_among_199_guesses_counts_as_if_they_came_one_by_one(rig, round):
    pin_id, pin = rig.send({"pinAttempts": "1000", "allowMultiplePinVerifications": "false"})
    at = (round * 97 + 50) % CLIENTS
    found = verdicts(rig.verify_at_once(pin_id, [pin if i == at else "x" for i in range(CLIENTS)]))
    assert found[at] == "yes" and set(found) <= {"yes", "WRONG_PIN", "NO_MORE_PIN_ATTEMPTS"}, found
    assert 1000 - rig.account.status(pin_id)["attemptsRemaining"] == found.count("WRONG_PIN")
