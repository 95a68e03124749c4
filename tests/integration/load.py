"""Applications that keep a gateway busy over its doors, and the book of what they were promised.

A door is one connection; what it is told apart by is how a request is written and an answer read.  Every send carries a
serial number of the test in its text, so that the SMSC's own log says which SMS, PIN and receipt belong to it.
"""
import http.client
import json
import random
import re
import socket
import threading
import time
import traceback

import resp
from procs import SLOW, wait_for
from world import number, pin_in


class Refused(Exception):
    """Answered, with an error."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code


class Cut(Exception):
    """The connection ended before the answer."""


class Door:
    """A request and its answer: write octets, read one answer as a dictionary."""

    def __init__(self, gateway, key):
        self.gateway, self.key = gateway, key
        try:
            self.open()
        except OSError as e:
            raise Cut(str(e)) from e

    def ask(self, octets):
        try:
            self.write(octets)
            return self.read()
        except OSError as e:
            raise Cut(str(e)) from e

    def write(self, octets):
        self.socket.sendall(octets)

    def send(self, app, message, to, value):
        return self.ask(self.send_octets(app, message, to, value))

    def verify(self, pin_id, pin):
        return self.ask(self.verify_octets(pin_id, pin))

    def leave(self):
        """Ends in order; what came beyond the answers, which must be nothing."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            rest = self.file.read()
        except OSError:
            rest = b""
        self.close()
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


class VerifyDoor(Door):
    name = "verify"

    def open(self):
        self.raw = resp.Raw(self.gateway.verify_path, 30)
        self.socket, self.file = self.raw.socket, self.raw.file
        self.ask(self.words("AUTH", self.key))

    @staticmethod
    def words(*words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)

    def send_octets(self, app, message, to, value):
        return self.words("PIN.SEND", app, message, to, "PLACEHOLDER", "q", value)

    def verify_octets(self, pin_id, pin):
        return self.words("PIN.VERIFY", pin_id, pin)

    def read(self):
        answer = self.raw.read()
        if answer is None:
            raise Cut("closed")
        if isinstance(answer, list):
            return dict(zip(answer[::2], answer[1::2]))
        if answer.startswith("-"):
            code, _, text = answer[1:].partition(" ")
            raise Refused(code, text)
        return {"": answer}


class HttpDoor(Door):
    name = "http"
    STATUS = {200: None, 400: "BAD_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS",
              503: "SERVICE_UNAVAILABLE"}

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.gateway.http_port), 30 * SLOW)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def post(self, path, body):
        body = json.dumps(body).encode()
        return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.gateway.http_port}\r\nAuthorization: App {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    def send_octets(self, app, message, to, value):
        return self.post("/2fa/2/pin", {"applicationId": app, "messageId": message, "to": to,
                                        "placeholders": {"q": value}})

    def verify_octets(self, pin_id, pin):
        return self.post(f"/2fa/2/pin/{pin_id}/verify", {"pin": pin})

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Cut("closed")
        status = int(line.split(b" ")[1])
        headers = http.client.parse_headers(self.file)
        if headers["Content-Length"] is None:
            raise Cut("closed inside an answer")
        body = self.file.read(int(headers["Content-Length"]))
        if len(body) < int(headers["Content-Length"]):
            raise Cut("closed inside an answer")
        answer = json.loads(body)
        if status == 200:
            return answer
        error = answer["requestError"]["serviceException"]
        assert error["messageId"] == self.STATUS[status], (status, error)
        raise Refused(error["messageId"].replace("SERVICE_UNAVAILABLE", "UNAVAILABLE"), error["text"])


DOORS = [VerifyDoor, HttpDoor]


class Witness:
    """What the SMSC's log says: read on as it grows."""

    def __init__(self, smsc):
        self.program = smsc.program
        self.at, self.lock = 0, threading.Lock()
        self.lines = 0
        self.submits = {}  # serial: [{"id", "pin", "to"}]
        self.given = {}    # sequence number of a receipt: message id
        self.acked = []    # message ids whose receipt was answered ESME_ROK, as often as it was

    def read(self):
        with self.lock, open(self.program.out_path, "rb") as f:
            f.seek(self.at)
            octets = f.read()
            whole = octets[:octets.rfind(b"\n") + 1]
            self.at += len(whole)
            for line in whole.splitlines():
                self._take(json.loads(line))
        return self

    def _take(self, e):
        self.lines += 1
        if e["ev"] == "submit":
            serial = re.search(r" s(\d+)$", e["text"])
            if serial:
                self.submits.setdefault(int(serial[1]), []).append(
                    {"id": e["id"], "pin": pin_in(e["text"]), "to": e["dst"]})
        elif e["ev"] == "dlr":
            self.given[e["seq"]] = e["id"]
        elif e["ev"] == "resp" and e["cmd"] == "deliver_sm_resp" and e["st"] == 0:
            self.acked.append(self.given[e["seq"]])

    def pin(self, serial):
        if serial not in self.submits:
            self.read()
        return self.submits[serial][0]["pin"]

    def wait_lines(self, count, seconds=20.0):
        wait_for(lambda: self.read().lines >= count, lambda: f"{count} lines of the SMSC, there are {self.lines}", seconds)

    def wait_acked(self, seconds=30.0):
        """Until each receipt that was given has been answered ESME_ROK."""
        def is_done():
            self.read()
            return set(self.given.values()) <= set(self.acked)
        wait_for(is_done, lambda: f"ESME_ROK for {len(set(self.given.values()) - set(self.acked))} receipts", seconds)


class Send:
    """One request for an SMS and what was said to it."""

    def __init__(self, serial, door, to, single, phase):
        self.serial, self.door, self.to, self.single, self.phase = serial, door, to, single, phase
        self.outcome = "cut"  # sent, not sent, refused, cut
        self.pin_id = None
        self.verdicts = []  # "yes", a pinError, "cut"; refusals are not kept: nothing was done

    def __repr__(self):
        return f"send {self.serial} ({self.door}, {self.to}, phase {self.phase}, {self.outcome}, {self.verdicts})"


class Load:
    """Clients in threads, half of them at each door; they come back after a cut."""

    def __init__(self, gateway, account, doors, witness, seed, clients=12):
        self.gateway, self.account, self.witness = gateway, account, witness
        self.stop_now = threading.Event()
        self.lock = threading.Lock()
        self.sends, self.refusals, self.errors = [], [], []
        self.phase = 0
        limits = {"verifyPinLimit": "100000/1s", "sendPinPerPhoneNumberLimit": "100000/1d",
                  "sendPinPerApplicationLimit": "10000000/1d", "pinAttempts": "1000"}
        self.apps = {}  # single-use or not: (application, template)
        for single in (False, True):
            app = account.new_app({**limits, "allowMultiplePinVerifications": "false" if single else "true"})
            self.apps[single] = (app, account.new_message("--length", "12", app=app))
        self.threads = [threading.Thread(target=self._run, args=(
            doors[i % len(doors)], random.Random(f"{seed}/{i}")))
                        for i in range(clients)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        self.stop_now.set()
        for t in self.threads:
            t.join()
        assert not self.errors, "\n".join(self.errors[:3])

    def _run(self, door_class, rng):
        mine = []  # this client's own numbers, so that the order of their sends is known
        try:
            while not self.stop_now.is_set():
                door = None
                try:
                    door = door_class(self.gateway, self.account.key)
                    while not self.stop_now.is_set():
                        self._act(door, rng, mine)
                    rest = door.leave()
                    assert rest == b"", f"an answer that nothing asked for: {rest}"
                except Cut:
                    if door:
                        door.close()
                    self.stop_now.wait(0.02)
                except Refused as e:  # of AUTH
                    assert e.code == "UNAVAILABLE", e
                    self.stop_now.wait(0.02)
        except Exception:
            self.errors.append(traceback.format_exc())

    def _act(self, door, rng, mine):
        draw = rng.random()
        if draw < 0.55 or not mine:
            sends = []
            self._send(door, sends, number(), rng.random() < 0.5)
            if sends[0].outcome == "sent":
                mine.append(sends)
                del mine[:-20]
        elif draw < 0.7:
            sends = rng.choice(mine)
            self._send(door, sends, sends[0].to, sends[0].single)
        else:
            self._verify(door, [s for s in rng.choice(mine) if s.outcome == "sent"][-1])

    def new_send(self, door, to, single):
        """Into the book before it is asked for."""
        with self.lock:
            send = Send(len(self.sends), door.name, to, single, self.phase)
            self.sends.append(send)
        return send

    def send_words(self, send):
        return *self.apps[send.single], send.to, f"s{send.serial}"

    def note_sent(self, send, answer):
        assert answer["to"] == send.to, f"{answer} to {send}"
        send.outcome = {"MESSAGE_SENT": "sent", "MESSAGE_NOT_SENT": "not sent"}[answer["smsStatus"]]
        send.pin_id = answer["pinId"]

    def note_verified(self, send, answer):
        assert answer["pinId"] == send.pin_id and answer["msisdn"] == send.to, f"{answer} to {send}"
        send.verdicts[-1] = "yes" if answer["verified"] else answer["pinError"]

    def _send(self, door, sends, to, single):
        send = self.new_send(door, to, single)
        sends.append(send)
        answer = self._ask(lambda: door.send(*self.send_words(send)), "send")
        if answer is None:
            send.outcome = "refused"
        else:
            self.note_sent(send, answer)

    def _verify(self, door, send):
        send.verdicts.append("cut")
        answer = self._ask(lambda: door.verify(send.pin_id, self.witness.pin(send.serial)), "verify")
        if answer is not None:  # else "cut" stays: unavailable may mean that its fate is unknown
            self.note_verified(send, answer)

    def _ask(self, request, what):
        """None: it was refused for the time being."""
        started = time.monotonic()
        try:
            return request()
        except Refused as e:
            assert e.code == "UNAVAILABLE", e
            self.refusals.append((what, started, time.monotonic() - started))
            self.stop_now.wait(0.01)
            return None


class Promises:
    """Holds a load's book against the SMSC's log and the gateway."""

    def __init__(self, load, server):
        """server: a python3-redis client of the Redis below, for what no answer ever named."""
        self.load, self.account, self.server = load, load.account, server
        self.witness = load.witness.read()
        self.by_number = {}
        for send in load.sends:
            self.by_number.setdefault(send.to, []).append(send)
        self.result = {"sends": len(load.sends)}
        for outcome in ("sent", "not sent", "refused", "cut"):
            self.result[outcome] = sum(s.outcome == outcome for s in load.sends)
        self.result["unavailable"] = len(load.refusals)

    def _all(self, words, sends):
        """One command for each send, pipelined."""
        answers = []
        for at in range(0, len(sends), 500):
            pipe = self.account.client().pipeline(transaction=False)
            for send in sends[at:at + 500]:
                pipe.execute_command(*words(send))
            answers += [resp.fields(a) for a in pipe.execute()]
        return list(zip(sends, answers))

    def check_submits(self):
        """No SMS twice; none that was answered as not sent, and one for each that was answered as sent."""
        for send in self.load.sends:
            out = self.witness.submits.get(send.serial, [])
            assert len(out) <= 1, f"{send}: {len(out)} SMS"
            assert len(out) == 1 or send.outcome != "sent", f"{send}: no SMS"
            assert not out or send.outcome in ("sent", "cut"), f"{send}: there is an SMS"
            assert not out or out[0]["to"] == send.to
        self.result["sms"] = len(self.witness.submits)

    def check_verifiable(self):
        """Each PIN that was answered as sent is verified by what the handset shows, or a later one of the number is;
        a single-use one at most once in all."""
        newest, superseded = [], []
        for sends in self.by_number.values():
            out = [s for s in sends if s.outcome == "sent"]
            newest += out[-1:]
            superseded += out[:-1]
        old = self._all(lambda s: ("PIN.VERIFY", s.pin_id, self.witness.pin(s.serial)), superseded)
        for send, answer in old:
            expected = ("TTL_EXPIRED", "NO_MORE_PIN_ATTEMPTS") if send.single else ("TTL_EXPIRED",)
            assert answer["verified"] == 0 and answer["pinError"] in expected, f"{send}: {answer}"
        lost = []
        for send, answer in self._all(lambda s: ("PIN.VERIFY", s.pin_id, self.witness.pin(s.serial)), newest):
            send.verdicts.append("yes" if answer["verified"] else answer["pinError"])
            if not self._is_kept(send) and not self._is_superseded_by_a_later_one(send):
                lost.append(send)
        for send in self.load.sends:
            if send.single:
                assert send.verdicts.count("yes") <= 1, f"{send}: verified more than once"
        unheard = [s for s in newest if s.single and s.verdicts.count("yes") == 0 and s.verdicts[-1] != "TTL_EXPIRED"]
        self.result.update(answered=len(newest) + len(superseded), verifiable=len(newest) - len(lost),
                           superseded=len(superseded), verified_unheard=len(unheard), lost=len(lost))
        assert not lost, f"{len(lost)} lost: {lost[:5]}"

    @staticmethod
    def _is_kept(send):
        """A PIN verifies each time, a single-use one the first time, which may be one whose answer was cut."""
        if not send.single:
            return all(v in ("yes", "cut") for v in send.verdicts)
        first = next(i for i, v in enumerate(send.verdicts) if v != "cut")
        if send.verdicts[first] != "yes" and first == 0:
            return False
        return all(v in ("NO_MORE_PIN_ATTEMPTS", "cut") for v in send.verdicts[first + 1:]) and \
            send.verdicts[first] in ("yes", "NO_MORE_PIN_ATTEMPTS")

    def _is_superseded_by_a_later_one(self, send):
        """One that went out and whose answer was cut: then the number's live PIN is that."""
        if send.verdicts[-1] not in ("TTL_EXPIRED", "NO_MORE_PIN_ATTEMPTS"):
            return False
        sends = self.by_number[send.to]
        later = [s for s in sends[sends.index(send) + 1:] if s.outcome == "cut" and s.serial in self.witness.submits]
        app = self.load.apps[send.single][0]
        phone = self.server.get(f"pb:{{{send.pin_id[:3]}}}:phone:{self.account.name}:{app}:{send.to}")
        live = phone[24:56].decode()
        answers = [self.account.verify(live, self.witness.pin(s.serial)) for s in later]
        return live != send.pin_id and sum(a["verified"] for a in answers) == 1

    def check_receipts(self):
        """Each receipt that was acknowledged stands in its PIN's record; one of a message whose response was lost with
        the gateway, and which therefore nobody was promised, stands parked."""
        acked = set(self.witness.acked)
        answered = [s for s in self.load.sends if s.outcome == "sent"]
        promised = {self.witness.submits[s.serial][0]["id"]: s for s in answered}
        missing = [promised[i] for i in acked & set(promised)]
        expected = len(missing)

        def is_recorded():
            nonlocal missing
            missing = [s for s, status in self._all(lambda s: ("PIN.STATUS", s.pin_id), missing)
                       if status["attempts"][0]["state"] != "DELIVERED"]
            return not missing
        # one that came before the response could be recorded is parked until that is repeated
        wait_for(is_recorded, lambda: f"{len(missing)} receipts acknowledged and not in the record: {missing[:5]}")
        kinds = self._receipts_of_others(acked - set(promised))
        self.result.update(receipts_acknowledged=len(acked), recorded=expected + kinds["D"], parked=kinds["P"])

    def _receipts_of_others(self, ids):
        kinds = {"D": 0, "P": 0}
        keys = {}
        for key in self.server.scan_iter("pb:*:dlr:*", count=1000):
            keys[key.decode().split(":")[4]] = key
        for one in ids:
            assert one in keys, f"the receipt of message {one} was acknowledged and is gone"
            kinds[self.server.get(keys[one])[:1].decode()] += 1
        return kinds

    def check(self):
        self.check_submits()
        self.check_verifiable()
        self.check_receipts()
        return self.result
