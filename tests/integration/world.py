"""A gateway with everything around it, in a short temporary folder: made by a test, taken down after it."""
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import tempfile
import itertools

import redis

import resp
from leaks import MARK, Secrets
from procs import BUILD, ROOT, SLOW, Program, run, wait_for
from osmo import OsmoNetwork
from smsc import NodeSmsc, ScriptedSmsc

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
_numbers = itertools.count(385910000000 + os.getpid() % 100000 * 1000)


def number():
    """A phone number that no other test of this process uses."""
    return str(next(_numbers))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def script_names():
    """{sha1: name} of the Lua scripts as they were compiled in."""
    names = {}
    source = (BUILD / "gen/pin_scripts.h").read_text()
    for name, literals in re.findall(r"pin_script_(\w+)\[\] =\n(.*?)\n    ;", source, re.S):
        text = "".join(re.findall(r'"(.*)"$', literals, re.M))
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        names[hashlib.sha1(text.encode()).hexdigest()] = name
    return names


class Redis:
    """A real redis-server on a free port, with a password."""

    PASSWORD = "redispw-4b1d"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "redis"
        self.folder.mkdir()
        self.port = free_port()
        self.runs = 0
        self.start()

    def start(self):
        self.runs += 1
        self.program = Program(f"redis-{self.runs}", [
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes",
            "--requirepass", self.PASSWORD, "--maxmemory-policy", "noeviction", "--save", ""], self.folder)
        self.program.wait_text("Ready to accept connections", "out")

    def client(self):
        return resp.client(self.port, self.PASSWORD)

    def stop(self):
        self.program.stop()


class RedisProxy:
    """tests/peers/redis_proxy.py in front of a Redis."""

    def __init__(self, folder, port):
        import subprocess
        self.program = Program("redis-proxy", ["/usr/bin/python3", ROOT / "tests/peers/redis_proxy.py", port], folder,
                               stdin=subprocess.PIPE)
        self.program.wait_text('"listening"', "out")
        self.port = self.events("listening")[0]["port"]
        self.order(names=script_names())

    def order(self, **what):
        self.program.popen.stdin.write(json.dumps(what).encode() + b"\n")
        self.program.popen.stdin.flush()

    def swallow(self, name, nth=1, how="cut"):
        armed = len(self.events("armed"))
        self.order(swallow=name, nth=nth, how=how)
        wait_for(lambda: len(self.events("armed")) > armed, "the proxy armed")

    def events(self, kind):
        lines = self.program.out().splitlines()
        return [e for e in map(json.loads, filter(lambda x: x.endswith("}"), lines)) if e["ev"] == kind]

    def stop(self):
        self.program.popen.stdin.close()
        self.program.stop()


def setting(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(setting(v) for v in value) + "}"
    return '"' + str(value) + '"'


def section(head, values):
    return head + " {\n" + "".join(f"    {k} = {v if k == 'unix_mode' else setting(v)}\n"
                                   for k, v in values.items()) + "}\n"


class Gateway:
    """pinbindd with a generated configuration; carriers: {name: keys}, in order of preference."""

    def __init__(self, world, name, carriers, **keys):
        self.world, self.name = world, name
        self.folder = world.folder / name
        self.folder.mkdir()
        self.runs = 0
        self.verify_path = self.folder / "v.sock"
        self.admin_path = self.folder / "a.sock"
        self.file = self.folder / "pinbind.conf"
        self.key_file = world.key_file
        self.http_port = self.noc_port = None
        self.configure(carriers, **keys)

    def configure(self, carriers, store=None, store_keys=None, verify=None, top=None, routes=None, http=None):
        """Writes the file; a gateway that runs takes it over at a reload."""
        self.carriers = carriers
        values = {"node": self.name, "pin_key_file": self.key_file, "log_level": "debug", **(top or {})}
        text = "".join(f"{k} = {setting(v)}\n" for k, v in values.items())
        text += section("store", {"url": store or f"embedded:{self.folder}/redis", **(store_keys or {})})
        text += section("verify_socket", {"unix": self.verify_path, **(verify or {})})
        text += section("http", self._http(http))
        text += section("admin", {"unix": self.admin_path})
        for carrier, keys in carriers.items():
            text += section(f'carrier "{carrier}"', {
                "host": "127.0.0.1", "system_id": NodeSmsc.USER, "password": NodeSmsc.PASSWORD,
                "backoff_min_ms": 50, "backoff_max_ms": 200, **keys})
        for route, keys in (routes or {"default": {"prefixes": [""], "carriers": list(carriers)}}).items():
            text += section(f'route "{route}"', keys)
        self.file.write_text(text)
        os.chmod(self.file, 0o600)

    def _http(self, keys):
        """None: no HTTP; else the keys of its section, with free ports where they name none."""
        if keys is None:
            return {"listen": "", "noc_listen": ""}
        if self.http_port is None:
            self.http_port, self.noc_port = free_port(), free_port()
        return {"listen": f"127.0.0.1:{self.http_port}", "noc_listen": f"127.0.0.1:{self.noc_port}", **keys}

    def url(self, path="", noc=False):
        return f"http://127.0.0.1:{self.noc_port if noc else self.http_port}{path}"

    def start(self, bound=None, ready=True, under=()):
        """bound: names of the carriers to wait for, all when None; under: words of a program that runs it."""
        self.runs += 1
        self.program = Program(f"pinbindd-{self.runs}", [*under, BUILD / "pinbindd", "-c", self.file], self.folder,
                               env=SANITIZERS)
        if ready:
            self.program.wait_text("event=ready")
            self.wait_bound(*(self.carriers if bound is None else bound))
        return self

    def log(self):
        return "".join(p.read_text(errors="backslashreplace") for p in sorted(self.folder.glob("pinbindd-*.err")))

    def wait_log(self, needle, seconds=10.0, count=1):
        self.program.wait_text(needle, "err", seconds, count)

    def ctl(self, *args, status=0):
        code, out, err = run([BUILD / "pinbindctl", "-s", self.admin_path, "--json", *args], env={**os.environ, **SANITIZERS})
        assert code == status, f"pinbindctl {args}: exit status {code}: {out}{err}"
        return json.loads(out) if out.strip().startswith(("{", "[")) else out

    def binds(self):
        return self.ctl("binds")

    def wait_bound(self, *names):
        def all_bound():
            rows = self.binds()
            return all(any(r["carrier"] == n for r in rows) and
                       all(r["state"] == "BOUND" for r in rows if r["carrier"] == n) for n in names)
        if names:
            wait_for(all_bound, lambda: f"{names} BOUND; there is {self.binds()}")

    def client(self, key=None):
        return resp.client(self.verify_path, key)

    def raw(self):
        return resp.Raw(self.verify_path)

    def stop(self, seconds=15.0):
        """In order; the exit status."""
        return self.program.stop(seconds)

    def kill(self):
        """kill -9 of the gateway alone: its redis-server stays."""
        self.program.popen.kill()
        self.program.popen.wait()


class Account:
    """An account with an application and a template, and what an application does with them."""

    FAST = {"verifyPinLimit": "1000/1s", "sendPinPerPhoneNumberLimit": "1000/1d"}
    TEXT = "Your code is {{pin}} {{q}}"

    def __init__(self, gateway, name, settings=None, template=("--length", "8")):
        self.gateway, self.name = gateway, name
        self.key = gateway.ctl("account", "create", name)["key"]
        self.app = self.new_app(settings)
        self.message = self.new_message(*template)
        gateway.world.keys.append(self.key)

    def new_app(self, settings=None):
        sets = [w for k, v in {**self.FAST, **(settings or {})}.items() for w in ("--set", f"{k}={v}")]
        return self.gateway.ctl("app", "create", "--account", self.name, "--name", "test", *sets)["applicationId"]

    def new_message(self, *options, text=TEXT, app=None):
        return self.gateway.ctl("message", "create", "--account", self.name, "--app", app or self.app,
                                "--text", text, *options)["messageId"]

    def client(self):
        return self.gateway.client(self.key)

    def send(self, to, q="", app=None, message=None):
        """PIN.SEND; q: quirk that node-smpp is to show."""
        words = ["PLACEHOLDER", "q", f"q:{q}" if q else "."] if message is None else []
        return resp.fields(self.client().execute_command("PIN.SEND", app or self.app, message or self.message, to, *words))

    def resend(self, pin_id, q=""):
        return resp.fields(self.client().execute_command(
            "PIN.RESEND", pin_id, "PLACEHOLDER", "q", f"q:{q}" if q else "."))

    def verify(self, pin_id, pin):
        return resp.fields(self.client().execute_command("PIN.VERIFY", pin_id, pin))

    def status(self, pin_id):
        return resp.fields(self.client().execute_command("PIN.STATUS", pin_id))

    def attempts(self, pin_id):
        return self.status(pin_id)["attempts"]

    def wait_status(self, pin_id, condition, what, seconds=10.0):
        last = {}

        def holds():
            try:
                last.update(self.status(pin_id))
            except redis.ResponseError as e:  # Redis may be on its way back
                assert str(e).startswith("UNAVAILABLE"), e
                return False
            return condition(last)
        wait_for(holds, lambda: f"{what}: {last}", seconds)

    def wait_attempt(self, pin_id, state, which=-1, seconds=10.0):
        self.wait_status(pin_id, lambda s: s["attempts"] and s["attempts"][which]["state"] == state,
                          f"attempt {which} in state {state}", seconds)

    def wait_state(self, pin_id, state, seconds=10.0):
        self.wait_status(pin_id, lambda s: s["state"] == state, f"state {state}", seconds)


def pin_in(text):
    """The PIN that the handset shows."""
    return re.search(r"Your code is (\S+)", text)[1]


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pb-", dir="/tmp"))
        self.closing = []
        self.gateways = []
        self.smscs = []
        self.keys = []
        self.key_file = self.folder / "pin.key"
        code, out, err = run([BUILD / "pinbindctl", "pinkey", "new", self.key_file])
        assert code == 0, out + err

    def _with(self, thing, end):
        self.closing.append(end)
        return thing

    def node(self, name="smsc", *options):
        smsc = NodeSmsc(self.folder, name, *options)
        self.smscs.append(smsc)
        return self._with(smsc, smsc.close)

    def scripted(self, *args, **kw):
        smsc = ScriptedSmsc(*args, **kw)
        self.smscs.append(smsc)
        return self._with(smsc, smsc.close)

    def osmo(self):
        network = OsmoNetwork(self.folder, NodeSmsc.USER, NodeSmsc.PASSWORD)
        self.smscs.append(network)
        return self._with(network, network.close)

    def redis(self):
        redis = Redis(self.folder)
        return self._with(redis, redis.stop)

    def redis_proxy(self, redis):
        proxy = RedisProxy(self.folder, redis.port)
        return self._with(proxy, proxy.stop)

    def redis_store(self, port):
        """Keys of the section store for a Redis with a password."""
        secret = self.folder / "redis.pass"
        secret.write_text(Redis.PASSWORD + "\n")
        secret.chmod(0o600)
        return {"store": f"redis://127.0.0.1:{port}/0", "store_keys": {"password_file": secret}}

    def gateway(self, carriers, name="gw", **kw):
        """carriers: {name: an SMSC, or a dict of keys}."""
        keys = {n: c if isinstance(c, dict) else {"port": c.port} for n, c in carriers.items()}
        gateway = Gateway(self, name, keys, **kw)
        self.gateways.append(gateway)
        return gateway

    def start(self, carriers, bound=None, **kw):
        """A gateway that runs, and an account on it."""
        gateway = self.gateway(carriers, **kw).start(bound)
        return gateway, Account(gateway, "demo")

    def texts(self):
        """Every message text that a handset has seen."""
        found = []
        for smsc in self.smscs:
            found += [s["text"] for s in (smsc.texts if hasattr(smsc, "texts") else smsc.events("submit"))]
        return found

    def secrets(self):
        """Every secret of this world; PINs of under 8 characters stand in numbers by chance."""
        secrets = Secrets()
        secrets.add("the SMPP password", NodeSmsc.PASSWORD)
        secrets.add("the Redis password", Redis.PASSWORD)
        for key in self.keys:
            secrets.add_key("an API key", key)
        for line in self.key_file.read_text().splitlines():
            if not line.startswith("#"):
                secrets.add_raw("the PIN key", base64.b64decode(line.split()[2]))
        for pin in (pin_in(t) for t in self.texts() if MARK in t):
            if len(pin) >= 8:
                secrets.add_pin(pin)
        return secrets

    def files(self):
        """What programs have written, but for the SMSC's logs and the files that are to hold secrets."""
        peers = tuple(s.name for s in self.smscs if isinstance(s, NodeSmsc)) + ("sim",)
        return [p for p in self.folder.rglob("*") if p.is_file() and not p.name.startswith(peers + ("pin.key",)) and
                p.parent.name != "osmo" and p.suffix not in (".conf", ".pass", ".pem")]

    def check_secrets(self):
        """No PIN, key, password or text in a log or in Redis's files."""
        secrets, files = self.secrets(), self.files()
        assert not self.gateways or files
        for path in files:
            found = secrets.find(path.read_bytes(), path.suffix in (".aof", ".rdb"))
            assert not found, f"{found} in {path}"

    def close(self, failed):
        problems = []
        for gateway in self.gateways:
            if gateway.runs:
                running = gateway.program.popen.poll() is None
                code = gateway.stop()
                if running and code != 0:
                    problems.append(f"pinbindd {gateway.name} ended with {code}")
                for line in gateway.log().splitlines():
                    if re.search(r"AddressSanitizer|LeakSanitizer|runtime error:", line):
                        problems.append(line)
        try:
            self.check_secrets()
        except AssertionError as e:
            problems.append(str(e))
        for end in reversed(self.closing):
            end()
        self._end_orphans()
        if failed or problems:
            kept = BUILD / "failed" / self.folder.name
            shutil.copytree(self.folder, kept, dirs_exist_ok=True, ignore=lambda d, names: [
                n for n in names if pathlib.Path(d, n).is_socket() or pathlib.Path(d, n).is_fifo()])
            print(f"logs are in {kept}")
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not problems, "\n".join(problems)

    def _end_orphans(self):
        """Embedded Redis servers that a killed gateway left, found by their own pid file or working folder."""
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "cwd").startswith(str(self.folder)):
                    os.kill(int(entry.name), 9)
            except OSError:
                pass
