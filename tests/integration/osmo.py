"""A mobile network on loopback: osmo-hlr, osmo-msc as the SMSC, and tests/peers/osmo/mme.py with the handsets.

What osmo-msc 1.9.0 does on its SMPP side, as this network showed it:

- submit_sm_resp comes at once with the message_id "msg_id_not_implemented", whatever becomes of the message, unless
  esm_class asks for forward mode (0x02): then it comes when the handset has answered, without a message_id, and says
  0x0b for a number that is unknown or not attached, 0xfe for a handset that refuses.
- A receipt comes for a delivered message only, and only when registered_delivery is not 0.  Nothing tells of another
  end.  Its text is "id:00000007 ... submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:" with the
  letters of the dates as they stand here; the id counts messages in its store and is 00000000 in forward mode: it has
  nothing to do with the response's.  The one TLV is user_message_reference, 0 where the submit had none: of its two
  octets the lower one comes back, the upper one is zero.
- It wants dest_addr_ton 1 or 2 and data_coding 0, 4, 8 or 0xf1 (3 and 0x10 are answered 0xff); takes a relative and
  an absolute validity_period, a UDH, and message_payload (as one message, however long); passes over sar_ TLVs, so
  that parts arrive as messages of their own; answers enquire_link and unbind; never answers query_sm, cancel_sm,
  data_sm, or a bind with another interface_version than 0x34.
- Binds of one account do not shut each other out; deliver_sm goes to the newest only, and nowhere when that is a
  transmitter or has unbound.
- alert_notification tells of each handset that attaches.
"""
import json
import socket
import string

from procs import BUILD, ROOT, Program, wait_for
from smsc import Relay

PEERS = ROOT / "tests/peers/osmo"
SHIM = BUILD / "sctp-over-tcp.so"
SMPP, SGS, HLR_VTY, MSC_VTY = 12775, 29118, 4258, 4254


class Vty:
    """The command line of a daemon, with its privileges."""

    def __init__(self, address, port):
        self.socket = socket.create_connection((address, port))
        self.socket.settimeout(10)
        self._answer()
        self.do("enable")

    def _answer(self):
        octets = b""
        while not octets.endswith((b"OsmoHLR> ", b"OsmoHLR# ", b"OsmoMSC> ", b"OsmoMSC# ")):
            more = self.socket.recv(65536)
            assert more, octets
            octets += more
        return octets.decode("latin1")

    def close(self):
        self.socket.close()

    def do(self, *commands):
        for command in commands:
            self.socket.sendall(command.encode() + b"\n")
            answer = self._answer()
            assert "%" not in answer.replace("% Created", "").replace("% Updated", ""), f"{command}: {answer}"


class OsmoNetwork:
    """The numbers below are its subscribers; a number that is not among them is unknown."""

    ATTACHED = "4790000001"
    REFUSES = "4790000002"  # attached; the handset answers RP-ERROR, cause 27
    BARRED = "4790000003"  # has no network access
    NEVER_SEEN = "4790000004"
    SWITCHED_OFF = "4790000009"
    UNKNOWN = "4799999999"
    BEHAVIOUR = {ATTACHED: "ack", REFUSES: "error:27", SWITCHED_OFF: "detach"}
    SUBSCRIBERS = (ATTACHED, REFUSES, BARRED, NEVER_SEEN, SWITCHED_OFF)

    def __init__(self, folder, user, password):
        assert SHIM.exists(), f"make {SHIM} first"
        self.folder = folder / "osmo"
        self.folder.mkdir()
        self.programs = []
        self.account = (user, password)
        self.behaviour = dict(self.BEHAVIOUR)
        self.runs = 0
        # The daemons' ports are fixed, so each network has an address of its own: that of a port which it holds.
        self.holder = socket.create_server(("127.0.0.1", 0))
        port = self.holder.getsockname()[1]
        self.address = f"127.29.{port >> 8}.{port & 255}"
        self.relay = Relay(SMPP, host=self.address)
        self.port = self.relay.port
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        hlr = self._daemon("osmo-hlr", "-l", self.folder / "hlr.db")
        wait_for(lambda: self._listens(hlr, HLR_VTY), "osmo-hlr to listen")
        self._subscribe()
        self._start_msc()
        self._start_handsets()

    def _start_msc(self):
        self.msc = self._daemon("osmo-msc", LD_PRELOAD=SHIM)
        wait_for(lambda: self._listens(self.msc, SMPP) and self._listens(self.msc, SGS), "osmo-msc to listen")

    def _start_handsets(self):
        self.runs += 1
        self.mme = self._run(f"mme-{self.runs}", [
            "/usr/bin/python3", PEERS / "mme.py", self.address, SGS,
            *(f"{self.imsi(n)}={how}" for n, how in self.behaviour.items())])
        for number, how in self.behaviour.items():
            state = "detached" if how == "detach" else "attached"
            self.mme.wait_text(f'"{state}", "imsi": "{self.imsi(number)}"', "out")

    def restart(self):
        """osmo-msc and all handsets; what it has stored stays."""
        self.mme.stop()
        self.msc.stop()
        self._start_msc()
        self._start_handsets()

    def switch_on(self, number):
        """All handsets attach anew, this one as well."""
        self.mme.stop()
        self.behaviour[number] = "ack"
        self._start_handsets()
        vty = Vty(self.address, MSC_VTY)
        vty.do("sms-queue trigger")  # else osmo-msc looks again when it has other work
        vty.close()

    def _daemon(self, name, *options, **env):
        user, password = self.account
        conf = self.folder / f"{name}.cfg"
        template = string.Template((PEERS / conf.name).read_text())
        conf.write_text(template.substitute(
            address=self.address, folder=self.folder, port=SMPP, user=user, password=password))
        return self._run(name, [name, "-c", conf, *options], env)

    def _run(self, name, argv, env=None):
        program = Program(name, argv, self.folder, env)
        self.programs.append(program)
        return program

    def _listens(self, program, port):
        assert program.popen.poll() is None, f"{program.name} ended: {program.err()[-2000:]}"
        try:
            socket.create_connection((self.address, port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def _subscribe(self):
        vty = Vty(self.address, HLR_VTY)
        for number in self.SUBSCRIBERS:
            vty.do(f"subscriber imsi {self.imsi(number)} create",
                   f"subscriber imsi {self.imsi(number)} update msisdn {number}")
        vty.do(f"subscriber imsi {self.imsi(self.BARRED)} update network-access-mode none")
        vty.close()

    @staticmethod
    def imsi(number):
        return "00101" + number

    @property
    def texts(self):
        """What the handsets show."""
        lines = [line for p in self.programs if p.name.startswith("mme") for line in p.out().splitlines()]
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return [{**e, "dst": e["imsi"][5:]} for e in events if e["ev"] == "sms"]

    def shown(self, number):
        return [t for t in self.texts if t["dst"] == number]

    def close(self):
        self.relay.close()
        for program in reversed(self.programs):
            program.stop()
        self.holder.close()
