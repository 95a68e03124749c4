"""A run with every kind of traffic, and then a search for its PINs, passwords, keys and texts (of messages from handsets,
too) wherever somebody could read them: logs, Redis, its files, answers, command lines, what pinbindctl and /metrics tell.  And the search itself: that
it finds each of them in each form.
"""
import base64
import socket

import pytest
import redis
import requests

import leaks
import resp
import wire
from load import Cut, DOORS, HttpDoor, Refused
from procs import SLOW, run, wait_for, BUILD
from world import Redis, number, pin_in

VALUE = "Zvonimir-7f3a9c"  # of a placeholder
WRONG_KEY = "pb_" + "5b" * 32
TYPED = "739182645509"  # a wrong PIN is one that a person uses somewhere
WRITTEN = "Otkazujem-c41e9d"  # by the person with the handset
TEXT = leaks.MARK + "{{pin}} for {{q}}, tell nobody"


class Rig:
    """A gateway whose operator echoes the texts in receipts, whole and broken, and one that refuses the password."""

    def __init__(self, world, kind):
        self.world, self.said = world, []
        self.smsc = world.scripted(on_submit=self.echo)
        closed = world.scripted(on_bind=lambda s, n: s.say(wire.pdu(wire.BIND_TRX_RESP, 0x0e, n, b"\0")))
        self.redis = world.redis() if kind == "external" else None
        store = world.redis_store(self.redis.port) if self.redis else {"store": f"embedded:{world.folder}/store"}
        self.gateway, self.account = world.start(
            {"acme": self.smsc, "closed": closed}, bound=("acme",), http={"auth_failures_per_min": 1000},
            verify={"auth_failures_per_min": 1000}, routes={"default": {"prefixes": [""], "carriers": ["acme"]}}, **store)
        self.server = self.redis.client() if self.redis else resp.client(world.folder / "store/redis.sock")
        self.server.config_set("slowlog-log-slower-than", 0)
        self.server.config_set("slowlog-max-len", 100000)
        self.app = self.account.new_app({"allowMultiplePinVerifications": "false"})
        self.messages = [self.account.new_message("--length", "12", "--type", kind, text=TEXT, app=self.app)
                         for kind in ("NUMERIC", "ALPHANUMERIC")]

    @staticmethod
    def echo(smsc, sequence, fields):
        message_id, text = smsc.accept(sequence), fields["octets"]
        receipt = wire.receipt_text(message_id) + text[:60]
        smsc.say(wire.deliver(sequence + 1000, fields["dst"], fields["src"], receipt))
        smsc.say(wire.deliver(sequence + 2000, "385990000000", fields["src"], wire.receipt_text("9" + message_id) + text[:60]))
        smsc.say(wire.deliver(sequence + 3000, fields["dst"], fields["src"], text, esm_class=0))
        smsc.say(wire.pdu(wire.DELIVER, 0, sequence + 4000, b"\0\1\1" + text + b"\0" + text))
        smsc.say(wire.pdu(0x00010200, 0, sequence + 5000, text), wire.pdu(wire.SUBMIT_RESP, 0, sequence + 6000, text + b"\0"))

    def note(self, what):
        self.said.append(str(what).encode() if not isinstance(what, bytes) else what)
        return what

    def attempt(self, request):
        try:
            return self.note(request())
        except (Refused, Cut, redis.RedisError) as e:
            self.note(e)
            return None


def life_of_a_pin(rig, door, message):
    """(pinId, PIN)"""
    to = number()
    sent = rig.attempt(lambda: door.send(rig.app, message, to, VALUE))
    pin = pin_in(wait_for(lambda: rig.smsc.submits(to), "the SMS")[0]["text"])
    rig.attempt(lambda: rig.account.client().execute_command("PIN.RESEND", sent["pinId"], "PLACEHOLDER", "q", VALUE))
    for typed in (TYPED, pin + "0", pin, pin):
        rig.attempt(lambda: door.verify(sent["pinId"], typed))
    rig.account.wait_attempt(sent["pinId"], "DELIVERED")
    rig.note(rig.account.status(sent["pinId"]))
    return sent["pinId"], pin


def messages_from_handsets(rig):
    """One in each form, and one that stays incomplete; returns when they are answered."""
    answered = len(rig.smsc.received(wire.DELIVER_RESP))
    octets, to, written = WRITTEN.encode(), number(), "1971"

    def udh(reference, part):
        return bytes([5, 0, 3, reference, 2, part])
    for i, (text, esm) in enumerate((
            (octets, 0), (octets + b" STOP", 0x10), (udh(1, 2) + octets[8:], 0x40), (udh(1, 1) + octets[:8], 0x40),
            (udh(2, 1) + octets, 0x40), (b"\xff" + octets, 0x40), (b"id:1 stat:" + octets, 0))):
        rig.smsc.say(wire.deliver(7000 + i, to, written, text, esm_class=esm))
    rig.smsc.say(wire.deliver(7100, to, written, b"", esm_class=0, tail=b"\x04\x24\0" + bytes([len(octets)]) + octets))
    rig.smsc.say(wire.deliver(7101, WRITTEN, WRITTEN, octets, esm_class=0))
    rig.smsc.wait_received(wire.DELIVER_RESP, answered + 9)


def wrong_words(rig, pin_id, pin):
    """What a verify socket refuses, with secrets in it."""
    key = rig.account.key
    for words in (("PIN.VERIFY", pin_id, pin, pin), (pin,), (key, pin), ("AUTH", WRONG_KEY), ("AUTH", "x", "y", key),
                  ("HELLO", "3", "AUTH", "default", WRONG_KEY), ("HELLO", "9", "AUTH", "default", key),
                  ("PIN.VERIFY", pin, pin), ("PIN.STATUS", pin), ("PIN.RESEND", pin_id, "PLACEHOLDER", VALUE),
                  ("PIN.SEND", rig.app, rig.messages[0], pin * 2, "PLACEHOLDER", "q", VALUE), ("CLIENT", "SETNAME", key),
                  ("PIN.SEND", rig.app, rig.messages[0], number(), VALUE, "q"), ("PIN.SEND", key, pin, number()),
                  ("PIN.SEND", rig.app, rig.messages[0], number(), "PLACEHOLDER", "other", VALUE),
                  ("PIN.SEND", rig.app, rig.messages[0], number(), "FROM", VALUE + key, "PLACEHOLDER", "q", VALUE),
                  ("PIN.SEND", rig.app, rig.messages[0], number(), "PLACEHOLDER", "q", VALUE * 300)):
        for known in (key, None):
            rig.attempt(lambda: rig.gateway.client(known).execute_command(*words))
    for octets in (f"AUTH {key} '{pin}\r\n", f"{pin} {key}\r\n", f"*2\r\n${key}\r\n", f"*1\r\n+{key}{pin}\r\n",
                   f"POST /2fa/2/pin/{pin_id}/verify HTTP/1.1\r\nAuthorization: App {key}\r\n\r\n"):
        for greeting in (b"", b"AUTH " + key.encode() + b"\r\n"):
            raw = rig.gateway.raw()
            raw.write(greeting + octets.encode())
            raw.socket.shutdown(socket.SHUT_WR)
            rig.note(raw.file.read())
            raw.close()


def wrong_requests(rig, pin_id, pin):
    """What the HTTP door refuses, with secrets in it."""
    key = rig.account.key
    verify = f"/2fa/2/pin/{pin_id}/verify"
    auth = f"Authorization: App {key}\r\n"
    json_type = "Content-Type: application/json\r\n"

    def post(path, body, headers=auth + json_type):
        return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
    requests_ = [post(verify, body) for body in (
        f'{{"pin":"{pin}"', f'{{"pin":{pin[:1]}{pin}}}', f'"{pin}"', f'{{"pin":["{pin}"]}}', f'{{"{pin}":"{key}"}}', pin,
        f'{{"pin":"{pin}","pin":"{TYPED}"}}', f'{{"pin":"{pin * 30}"}}')]
    requests_ += [post("/2fa/2/pin", body) for body in (
        f'{{"applicationId":"{rig.app}","messageId":"{pin}","to":"{key}"}}',
        f'{{"applicationId":"{rig.app}","messageId":"{rig.messages[0]}","to":"385911","placeholders":{{"q":"{VALUE}"}}}}',
        f'{{"applicationId":"{rig.app}","messageId":"{rig.messages[0]}","to":"{number()}","placeholders":"{VALUE}"}}',
        f'{{"applicationId":"{rig.app}","messageId":"{rig.messages[0]}","to":"{number()}","placeholders":{{"x":"{VALUE}"}}}}')]
    requests_ += [
        post(verify, f'{{"pin":"{pin}"}}', f"Authorization: App {WRONG_KEY}\r\n{json_type}"),
        post(verify, f'{{"pin":"{pin}"}}', f"Authorization: Basic {base64.b64encode(key.encode()).decode()}\r\n{json_type}"),
        post(verify, f'{{"pin":"{pin}"}}', f"Authorization: {key}\r\n{json_type}"), post(verify, f'{{"pin":"{pin}"}}', json_type),
        post(verify, f'{{"pin":"{pin}"}}', auth + "Content-Type: text/plain\r\n"),
        post(f"/2fa/2/pin/{pin}/verify?key={key}&pin={pin}", "{}"), post(f"/2fa/2/{key}", pin),
        post(verify, f'{{"pin":"{pin}"}}', auth + json_type + f"X {key}: {pin}\r\n"),
        post(verify, f'{{"pin":"{pin}"}}', auth + json_type + f"X-Long: {key * 200}\r\n"),
        post(verify, f'{{"pin":"{pin}"}}', auth + json_type + "Transfer-Encoding: chunked\r\n"),
        f"DELETE {verify} HTTP/1.1\r\nHost: {key}\r\n{auth}\r\n", f"GET /{key}/{pin} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"{key} {pin} HTTP/1.1\r\n\r\n", f"POST {verify} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 99999999\r\n\r\n{pin}"]
    for octets in requests_:
        s = socket.create_connection(("127.0.0.1", rig.gateway.http_port), 30 * SLOW)
        try:
            s.sendall(octets.encode())
            s.shutdown(socket.SHUT_WR)
            while got := s.recv(65536):
                rig.note(got)
        except OSError:
            pass  # closed with octets unread
        s.close()


def traffic(rig):
    """(pinId, PIN) of one that everything else was done to as well."""
    for door_class in DOORS:
        door = door_class(rig.gateway, rig.account.key)
        pins = [life_of_a_pin(rig, door, message) for message in rig.messages]
        door.leave()
        rig.attempt(lambda: door_class(rig.gateway, WRONG_KEY).verify(*pins[0]))
    messages_from_handsets(rig)
    pin_id, pin = pins[0]
    rig.attempt(lambda: rig.account.client().execute_command("PIN.RESEND", pin_id))
    wrong_words(rig, pin_id, pin)
    if HttpDoor in DOORS:
        wrong_requests(rig, pin_id, pin)
    return pin_id, pin


def look_everywhere(rig, pin_id):
    """{place: octets}, besides files."""
    gateway = rig.gateway
    places = {"answers": b"\n".join(rig.said), "Redis": leaks.redis_contents(rig.server),
              "Redis's commands": b"\n".join(e["command"] for e in rig.server.slowlog_get(100000)),
              "gateway process": leaks.process_contents(gateway.program.pid)}
    if not rig.redis:
        places["redis-server process"] = leaks.process_contents(rig.server.info("server")["process_id"])
    for words in (("config",), ("info",), ("binds",), ("pins", pin_id), ("account", "list"),
                  ("app", "list", "--account", "demo"), ("pins", "no-such-pin"), ("no-such-command",)):
        code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, *words])
        places["pinbindctl " + " ".join(words)] = (out + err).encode()
    code, out, err = run([BUILD / "pinbindd", "-c", gateway.file, "-t"])
    places["pinbindd -t"] = (out + err).encode()
    if HttpDoor in DOORS:
        for path, noc in (("/metrics", True), ("/healthz", False), ("/readyz", False), ("/readyz/send", False)):
            places[path] = requests.get(gateway.url(path, noc=noc), timeout=10).content
    return places


CONTENT = {  # that the places are what they are taken for
    "answers": b"verified", "Redis": b"pb:{demo}", "Redis's commands": b"EVALSHA", "gateway process": b"pinbindd",
    "pinbindctl config": b"acme", "pinbindctl info": b"store", "pinbindctl binds": b"BOUND", "/metrics": b"pinbind_"}


def secrets_of(rig):
    secrets = rig.world.secrets()
    secrets.add("a placeholder's value", VALUE)
    secrets.add("a message from a handset", WRITTEN)
    secrets.add_key("a wrong key", WRONG_KEY)
    secrets.add_pin(TYPED)
    return secrets


@pytest.mark.parametrize("kind", ["external", "embedded"])
def test_no_secret_is_anywhere_to_read(world, kind):
    rig = Rig(world, kind)
    pin_id, pin = traffic(rig)
    rig.read = " ".join(m["text"] for m in rig.gateway.ctl("mo"))  # the one place for texts of handsets
    secrets = secrets_of(rig)
    places = look_everywhere(rig, pin_id)
    if rig.redis:
        rig.redis.stop()  # errors about the store, too
        rig.attempt(lambda: rig.account.verify(pin_id, pin))
    rig.gateway.stop()
    for place, content in {**CONTENT, f"pinbindctl pins {pin_id}": pin_id.encode()}.items():
        assert content in places[place], (place, places[place][:300])
    found = {k: secrets.find(v, k.startswith(("Redis", "pinbindctl message"))) for k, v in places.items()}
    for path in world.files():
        found[str(path)] = secrets.find(path.read_bytes(), path.suffix in (".aof", ".rdb"))
    assert len(found) > 15 and any(k.endswith(".aof") for k in found) and any("pinbindd-1.err" in k for k in found)
    assert not any(found.values()), {k: v for k, v in found.items() if v}
    check_the_search(world, rig, secrets, pin)


def check_the_search(world, rig, secrets, pin):
    """What was searched for was real, and would have been found."""
    seen = " ".join(world.texts())
    assert rig.read.count(WRITTEN) >= 6
    assert VALUE in seen and pin in seen and leaks.MARK in seen and any(not pin_in(t).isdigit() for t in world.texts())
    assert secrets.find(WRITTEN.encode()) == ["a message from a handset"]
    planted = rig.gateway.folder / "planted.err"
    for word in (rig.account.key, Redis.PASSWORD, pin, world.texts()[0]):
        planted.write_text(f"... {word} ...")
        with pytest.raises(AssertionError, match="planted.err"):
            world.check_secrets()
    planted.unlink()


FORMS = {
    "text": lambda o: o, "hex": lambda o: o.hex().encode(), "HEX": lambda o: o.hex().upper().encode(),
    "base64": base64.b64encode, "base64url": lambda o: base64.urlsafe_b64encode(o).rstrip(b"="),
    "UCS-2": lambda o: o.decode("latin1").encode("utf-16-be"),
    "hex of UCS-2": lambda o: o.decode("latin1").encode("utf-16-be").hex().encode()}
PLANTS = {
    "an API key": b"pb_" + b"a7" * 32, "the SMPP password": b"s3cretpw", "a PIN": b"48151623", "a message text": leaks.MARK.encode(),
    "a PIN of letters": b"K7QX92PL"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", PLANTS)
def test_the_search_finds_what_was_planted(what, form):
    if what == "a PIN" and form.startswith("base64"):
        return  # digits have so many base64 forms that none is searched for
    secrets = leaks.Secrets()
    secrets.add_key("an API key", PLANTS["an API key"].decode())
    secrets.add_raw("an API key", bytes(range(200, 232)))
    secrets.add("the SMPP password", "s3cretpw")
    secrets.add_pin("48151623")
    secrets.add_pin("K7QX92PL")
    expected = "a PIN" if what == "a PIN of letters" else what
    assert secrets.find(b"level=info x=" + FORMS[form](PLANTS[what]) + b" y=1\n") == [expected]
    assert secrets.find(b"level=info x=4815162 y=" + FORMS[form](b"harmless") + b" pb_a7\n") == []


def test_the_search_finds_the_octets_of_keys_and_texts_beside_templates():
    secrets = leaks.Secrets()
    secrets.add_raw("the PIN key", bytes(range(64)))
    secrets.add_key("an API key", "pb_" + "c3" * 32)
    for octets in (bytes(range(64)), bytes(range(64)).hex().encode(), base64.b64encode(bytes(range(64)))):
        assert secrets.find(b"x" + octets + b"x") == ["the PIN key"]
    assert secrets.find(b"\1" + b"\xc3" * 32) == ["an API key"]
    template = leaks.MARK.encode() + b"{{pin}}"
    assert secrets.find(template, has_templates=True) == [] and secrets.find(template) == ["a message text"]
    assert secrets.find(template + leaks.MARK.encode() + b"123", has_templates=True) == ["a message text"]
