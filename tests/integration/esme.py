"""A small ESME on raw octets, for tests of pinbind-smsc: it shares no code with either codec."""
import selectors
import socket
import struct
import time

from procs import SLOW

BIND_RX, BIND_TX, QUERY, SUBMIT, DELIVER, UNBIND, REPLACE, CANCEL, BIND_TRX = range(1, 10)
ENQUIRE, DATA, NACK, RESP = 0x15, 0x103, 0x80000000, 0x80000000
SECONDS = 5 * SLOW


class Pdu:
    def __init__(self, whole):
        self.length, self.id, self.status, self.seq = struct.unpack(">IIII", whole[:16])
        self.body = whole[16:]

    def __repr__(self):
        return f"<{self.id:#x} status={self.status:#x} seq={self.seq} {self.body!r}>"

    def strings(self):
        return self.body.split(b"\0")


def cstr(s):
    return (s if isinstance(s, bytes) else s.encode("latin1")) + b"\0"


def tlv(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


def pdu(command, seq, body=b"", status=0):
    return struct.pack(">IIII", 16 + len(body), command, status, seq) + body


def submit_body(dst, text, src="PINBIND", esm=0, dcs=0, registered=1, validity="", tlvs=b""):
    return (cstr("") + b"\5\0" + cstr(src) + b"\1\1" + cstr(dst) + bytes([esm, 0, 0]) + cstr("") + cstr(validity)
            + bytes([registered, 0, dcs, 0, len(text)]) + text + tlvs)


def data_body(dst, text, src="PINBIND", registered=1):
    return (cstr("") + b"\5\0" + cstr(src) + b"\1\1" + cstr(dst) + bytes([0, registered, 0]) + tlv(0x424, text))


class Receipt:
    """deliver_sm or data_sm with its fields."""

    def __init__(self, p):
        rest = p.body[p.body.index(0) + 1:]
        self.src, rest = rest[2:rest.index(0, 2)], rest[rest.index(0, 2) + 1:]
        self.dst, rest = rest[2:rest.index(0, 2)], rest[rest.index(0, 2) + 1:]
        self.esm, self.text = rest[0], b""
        if p.id == DELIVER:
            n = rest[9]
            self.text, rest = rest[10:10 + n], rest[10 + n:]
        else:
            rest = rest[3:]
        self.tlvs = {}
        while rest:
            tag, n = struct.unpack(">HH", rest[:4])
            self.tlvs[tag], rest = rest[4:4 + n], rest[4 + n:]
        self.text = self.text or self.tlvs.get(0x424, b"")


class Esme:
    """Blocking, with a deadline on each read; answers nothing by itself."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.seq = 0
        self.reads = 0  # how many recv() the octets needed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, command, body=b"", status=0, seq=None):
        if seq is None:
            self.seq += 1
            seq = self.seq
        self.sock.sendall(pdu(command, seq, body, status))
        return seq

    def next_length(self):
        n = struct.unpack(">I", self.buffer[:4])[0]
        if n < 16:
            raise ValueError("command_length below 16")
        return n

    def take(self, seconds=SECONDS):
        """The next PDU; None at the end of the stream; TimeoutError."""
        deadline = time.monotonic() + seconds
        while len(self.buffer) < 4 or len(self.buffer) < self.next_length():
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            octets = self.sock.recv(65536)
            if not octets:
                return None
            self.reads += 1
            self.buffer += octets
        n = self.next_length()
        whole, self.buffer = self.buffer[:n], self.buffer[n:]
        return Pdu(whole)

    def is_silent(self, seconds=0.15):
        with selectors.DefaultSelector() as s:
            s.register(self.sock, selectors.EVENT_READ)
            return not self.buffer and not s.select(seconds)

    def ask(self, command, body=b""):
        seq = self.send(command, body)
        answer = self.take()
        assert (answer.id, answer.seq) == (command | RESP, seq), answer
        return answer

    def bind(self, command=BIND_TRX, system_id="pinbind", password="password"):
        return self.ask(command, cstr(system_id) + cstr(password) + cstr("") + b"\x34\0\0" + cstr(""))

    def submit(self, dst, text, **kw):
        return self.send(SUBMIT, submit_body(dst, text, **kw))

    def take_receipt(self, status=0, seconds=SECONDS):
        p = self.take(seconds)
        assert p.id in (DELIVER, DATA), p
        self.send(p.id | RESP, b"\0", status, p.seq)
        return Receipt(p)
