"""What must be nowhere to read: PINs, passwords, keys and message texts, in each form that they could take."""
import base64
import re

MARK = "Your code is "  # what each text of the tests begins with
# How a run of digits may be written: pattern of one digit, octets of it; the digit is the last of them.
DIGITS = [(rb"\d", 1), (rb"3\d", 2), (rb"\0\d", 2), (rb"003\d", 4)]


def raw_forms(octets):
    b64 = base64.b64encode(octets).rstrip(b"=")
    return {octets, octets.hex().encode(), octets.hex().upper().encode(), b64, b64.replace(b"+", b"-").replace(b"/", b"_")}


def text_forms(text):
    return raw_forms(text.encode()) | raw_forms(text.encode("utf-16-be"))


class Secrets:
    def __init__(self):
        self.words = {}  # octets: what they are
        self.pins = {}   # length: those of digits alone

    def add(self, what, text):
        self.words.update(dict.fromkeys(text_forms(text), what))

    def add_raw(self, what, octets):
        self.words.update(dict.fromkeys(raw_forms(octets), what))

    def add_key(self, what, key):
        """An API key: either half of its digits gives it away, and the octets that they stand for."""
        self.add(what, key)
        digits = key.removeprefix("pb_")
        for half in (digits[:32], digits[32:]):
            self.add(what, half)
            self.add_raw(what, bytes.fromhex(half))
        self.add_raw(what, bytes.fromhex(digits))

    def add_pin(self, pin):
        if pin.isdigit():
            self.pins.setdefault(len(pin), set()).add(pin.encode())
        else:
            self.add("a PIN", pin)

    def find(self, octets, has_templates=False):
        """What of it stands in there; templates begin as the texts do."""
        found = {what for word, what in self.words.items() if word in octets}
        if any(self._has_pin(octets, length, pins) for length, pins in self.pins.items()):
            found.add("a PIN")
        texts = [m for m in re.finditer(MARK.encode(), octets)
                 if not has_templates or octets[m.end():m.end() + 2] != b"{{"]
        if texts or any(f in octets for f in text_forms(MARK) - {MARK.encode()}):
            found.add("a message text")
        return sorted(found)

    @staticmethod
    def _has_pin(octets, length, pins):
        for pattern, width in DIGITS:
            for run in re.finditer(rb"(?:%s){%d,}" % (pattern, length), octets):
                digits = run[0][width - 1::width]
                if any(digits[i:i + length] in pins for i in range(len(digits) - length + 1)):
                    return True
        return False


def redis_contents(server):
    """Everything that a Redis would tell: keys, their dumps, and their values read one by one."""
    readers = {b"string": server.get, b"hash": server.hgetall, b"set": server.smembers,
               b"list": lambda k: server.lrange(k, 0, -1), b"zset": lambda k: server.zrange(k, 0, -1, withscores=True)}
    parts = []

    def put(value):
        if isinstance(value, bytes):
            parts.append(value)
        elif isinstance(value, dict):
            put(list(value.items()))
        elif isinstance(value, (list, tuple, set)):
            for v in value:
                put(v)
        else:
            parts.append(str(value).encode())
    for key in server.scan_iter("*", count=1000):
        put([key, server.dump(key), readers[server.type(key)](key)])
    return b"\n".join(parts)


def process_contents(pid):
    """Command line and environment, as anyone on the machine may read them."""
    parts = []
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", "rb") as f:
            parts.append(f.read())
    return b"\0".join(parts)
