"""SMSCs for the tests: node-smpp behind a recording relay, and a scripted one for what no library would send."""
import itertools
import json
import os
import selectors
import socket
import threading

import wire
from procs import BUILD, ROOT, Program, wait_for

_serial = itertools.count(1)


class Recorder:
    """Keeps each PDU that pinbind wrote on one connection, for the decoders that judge them later."""

    def __init__(self):
        folder = BUILD / "pdus"
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / f"{os.getpid()}-{next(_serial)}.jsonl", "w")
        self.buffer = bytearray()
        self.test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        self.pdus = []

    def feed(self, octets):
        self.buffer += octets
        for whole in wire.split(self.buffer):
            self.pdus.append(whole)
            self.file.write(json.dumps({"test": self.test, "hex": whole.hex()}) + "\n")
            self.file.flush()

    def close(self):
        self.file.close()


class Relay:
    """TCP in front of a peer: records what pinbind sends (not with TLS), cuts connections, refuses new ones."""

    def __init__(self, port, record=True, host="127.0.0.1"):
        self.record = record
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.pairs = {}  # socket: (the other one, recorder or None)
        self.recorders = []
        self.commands = []
        self.lock = threading.Lock()
        self.wake_r, self.wake_w = socket.socketpair()
        self.selector.register(self.wake_r, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def sent(self):
        """Each PDU that pinbind wrote so far."""
        return [p for r in self.recorders for p in r.pdus]

    def cut(self, bound_by=None):
        """Ends every connection at once (RST), or those that began with this command."""
        self._do("cut", bound_by)

    def close(self):
        self._do("stop")
        self.thread.join()

    def _do(self, command, bound_by=None):
        done = threading.Event()
        with self.lock:
            self.commands.append((command, bound_by, done))
        self.wake_w.send(b"x")
        done.wait(5)

    def _accept(self):
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        recorder = Recorder() if self.record else None
        self.recorders += [recorder] if recorder else []
        for s, other, rec in ((client, server, recorder), (server, client, None)):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs[s] = (other, rec)
            self.selector.register(s, selectors.EVENT_READ, None)

    def _drop(self, s, reset=False):
        other, _ = self.pairs[s]
        for one in (s, other):
            if one in self.pairs:
                self.selector.unregister(one)
                del self.pairs[one]
                if reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                one.close()

    def _first_command(self, client):
        _, recorder = self.pairs[client]
        return wire.header(recorder.pdus[0])[0] if recorder and recorder.pdus else None

    def _pump(self, s):
        other, recorder = self.pairs[s]
        try:
            octets = s.recv(65536)
            if not octets:
                self._drop(s)
                return
            if recorder:
                recorder.feed(octets)
            other.sendall(octets)
        except OSError:
            self._drop(s)

    def _obey(self):
        self.wake_r.recv(100)
        with self.lock:
            commands, self.commands = self.commands, []
        going = True
        for command, bound_by, done in commands:
            for s in list(self.pairs):
                if s in self.pairs and bound_by in (None, self._first_command(s)):
                    self._drop(s, reset=command == "cut")
            if command == "stop":
                self.listener.close()
                going = False
            done.set()
        return going

    def _run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.wake_r:
                    if not self._obey():
                        return
                elif key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj in self.pairs:
                    self._pump(key.fileobj)


class NodeSmsc:
    """node-smpp-server.mjs behind a relay; port stays the same over restarts of the peer."""

    USER, PASSWORD = "tester", "s3cretpw"

    def __init__(self, folder, name, *options):
        self.folder, self.name, self.options = folder, name, options
        self.runs = 0
        self.programs = []
        self.start()
        self.relay = Relay(self.peer_port, record="--tls-key" not in options)
        self.port = self.relay.port

    def start(self, *options):
        self.runs += 1
        self.program = Program(f"{self.name}-{self.runs}", [
            "node", ROOT / "tests/peers/node-smpp-server.mjs", "--port", "0", "--user", self.USER,
            "--pass", self.PASSWORD, *self.options, *options], self.folder)
        self.programs.append(self.program)
        self.program.wait_text('"ev":"listening"', "out")
        self.peer_port = self.events("listening")[-1]["port"]
        if self.runs > 1:
            self.relay.target = ("127.0.0.1", self.peer_port)

    def stop(self):
        self.program.stop()
        self.relay.cut()

    def close(self):
        self.program.stop()
        self.relay.close()

    def events(self, kind=None, **fields):
        found = []
        for program in self.programs:
            for line in program.out().splitlines():
                if line.startswith("{") and line.endswith("}"):
                    e = json.loads(line)
                    if (kind is None or e["ev"] == kind) and all(e.get(k) == v for k, v in fields.items()):
                        found.append(e)
        return found

    def submits(self, to):
        return self.events("submit", dst=to)

    def wait_submits(self, to, count=1, seconds=10.0):
        wait_for(lambda: len(self.submits(to)) >= count,
                 lambda: f"{count} submit_sm for {to}: {self.submits(to)}", seconds)
        return self.submits(to)


class ScriptedSmsc:
    """Raw sockets: answers binds, enquire_link and unbind; submits go to `on_submit(smsc, sequence, fields)`.

    The default accepts with ids 1, 2, ...  say() writes any octets on the newest connection.
    `on_query` and `on_cancel` (the same arguments) may be set; without them there is no answer.
    """

    def __init__(self, on_submit=None, on_bind=None, tls=None):
        self.tls = tls  # an ssl.SSLContext
        self.handshakes = []  # what became of each: its version, or the error
        self.on_submit = on_submit or (lambda smsc, sequence, fields: smsc.accept(sequence))
        self.on_bind = on_bind
        self.on_query = self.on_cancel = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ids = itertools.count(1)
        self.sequences = itertools.count(1)
        self.log = []  # (command, status, sequence, whole PDU)
        self.texts = []
        self.connections = []
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def say(self, *octets):
        self.connections[-1].sendall(b"".join(octets))

    def accept(self, sequence, message_id=None):
        message_id = message_id or str(next(self.ids))
        self.say(wire.pdu(wire.SUBMIT_RESP, 0, sequence, message_id.encode() + b"\0"))
        return message_id

    def received(self, command):
        return [entry for entry in self.log if entry[0] == command]

    def wait_received(self, command, count=1, seconds=10.0):
        wait_for(lambda: len(self.received(command)) >= count,
                 lambda: f"{count} PDUs {command:08x}; there were {[hex(e[0]) for e in self.log]}", seconds)
        return self.received(command)

    def submits(self, to):
        return [t for t in self.texts if t["dst"] == to]

    def close(self):
        self.closing = True
        self.listener.close()
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()

    def _run(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        recorder = Recorder()
        seen = 0
        try:
            if self.tls:
                self._shake_hands(connection)
            while octets := connection.recv(65536):
                recorder.feed(octets)
                while seen < len(recorder.pdus):
                    seen += 1
                    self._take(recorder.pdus[seen - 1])
        except OSError:
            pass
        finally:
            recorder.close()

    def _shake_hands(self, connection):
        try:
            connection.do_handshake()
            self.handshakes.append(connection.version())
        except OSError as e:
            self.handshakes.append(str(e))
            connection.close()
            raise

    def _take(self, whole):
        command, status, sequence = wire.header(whole)
        self.log.append((command, status, sequence, whole))
        if command == wire.BIND_TRX:
            if self.on_bind:
                self.on_bind(self, sequence)
            else:
                self.say(wire.pdu(wire.BIND_TRX_RESP, 0, sequence, b"scripted\0"))
        elif command == wire.SUBMIT:
            fields = wire.parse_submit(whole)
            self.texts.append(fields)
            self.on_submit(self, sequence, fields)
        elif command == wire.QUERY and self.on_query:
            self.on_query(self, sequence, wire.parse_query(whole))
        elif command == wire.CANCEL and self.on_cancel:
            self.on_cancel(self, sequence, wire.parse_cancel(whole))
        elif command == wire.ENQUIRE:
            self.say(wire.pdu(wire.ENQUIRE_RESP, 0, sequence))
        elif command == wire.UNBIND:
            self.say(wire.pdu(wire.UNBIND_RESP, 0, sequence))
