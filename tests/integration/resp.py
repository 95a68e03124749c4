"""The verify socket as clients see it: python3-redis for ordinary calls, raw sockets for the rest."""
import socket

import redis

from procs import SLOW


def client(path_or_port, key=None, **kw):
    """Debian's python3-redis without special options."""
    where = {"port": path_or_port} if isinstance(path_or_port, int) else {"unix_socket_path": str(path_or_port)}
    return redis.Redis(**where, password=key, **{"socket_timeout": 30 * SLOW, **kw})


def fields(flat):
    """A RESP2 map (flat list) with octets as text, nested lists of maps too."""
    def value(v):
        if isinstance(v, bytes):
            return v.decode()
        if isinstance(v, list):
            return [fields(e) if isinstance(e, list) else value(e) for e in v]
        return v
    return {k.decode(): value(v) for k, v in zip(flat[::2], flat[1::2])}


class Raw:
    """Octets in, parsed answers out; RESP2 and RESP3."""

    def __init__(self, path_or_port, seconds=10.0):
        if isinstance(path_or_port, int):
            self.socket = socket.create_connection(("127.0.0.1", path_or_port))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(path_or_port))
        self.socket.settimeout(seconds * SLOW)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def write(self, octets):
        self.socket.sendall(octets)

    def send(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.write(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args))

    def call(self, *args):
        self.send(*args)
        return self.read()

    def read(self):
        """A value; errors as "-CODE text" strings; None at the end of the connection."""
        line = self.file.readline()
        if not line:
            return None
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"cut inside an answer: {line!r}")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return "-" + rest.decode()
        if kind in b":":
            return int(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_":
            return None
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self._bulk(n)
        if kind in (b"*", b">", b"~"):
            return [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise AssertionError(f"no RESP: {line!r}")

    def _bulk(self, n):
        octets = self.file.read(n + 2)
        if len(octets) < n + 2:
            raise ConnectionError("cut inside an answer")
        return octets[:-2].decode()

    def is_closed(self):
        """Reads on until the end; True when it comes."""
        try:
            while self.file.read(4096):
                pass
        except ConnectionResetError:
            pass
        return True
