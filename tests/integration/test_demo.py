"""What a newcomer meets: the sign-in form of tests/examples, and ./demo with the lines that it prints."""
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import types

import pytest
import requests

from procs import BUILD, ROOT, SLOW, Program, run, wait_for
from smsc import NodeSmsc
from world import Account, free_port, number, pin_in

sys.path.insert(0, str(ROOT / "tests/examples/webform"))
import pinbind  # noqa: E402
import server  # noqa: E402

PYTHON = "/usr/bin/python3"


class Simulator:
    """pinbind-smsc as the carrier, and what its phones have received."""

    def __init__(self, world, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="pb-smsc-", dir="/tmp")  # it may know every PIN
        self.program = Program("pinbind-smsc", [
            BUILD / "pinbind-smsc", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--system-id", NodeSmsc.USER,
            "--password", NodeSmsc.PASSWORD, "--receipt-delay-ms", "50", *options], self.folder.name)
        self.program.wait_text("\n", "out")
        first = json.loads(self.program.out().splitlines()[0])
        self.port, self.url = first["smpp"], f"http://127.0.0.1:{first['web']}/"
        world.smscs.append(self)
        world.closing.append(self.close)

    def close(self):
        self.program.stop()
        self.folder.cleanup()

    def events(self, kind):
        return [e for e in map(json.loads, self.program.out().splitlines()) if e["ev"] == kind]

    def messages(self, to):
        return requests.get(self.url + "messages", {"to": to}, timeout=5).json()

    def pin(self, to):
        return pin_in(self.messages(to)[-1]["text"])


class Form:
    """The example's server, with an account's key in a file."""

    def __init__(self, account, smsc, *options, api=None):
        self.account, self.smsc = account, smsc
        folder = account.gateway.folder
        key = folder / "api.pass"
        key.write_text(account.key + "\n")
        key.chmod(0o600)
        self.program = Program("webform", [
            PYTHON, "-B", ROOT / "tests/examples/webform/server.py", "--listen", "127.0.0.1:0", "--api",
            api or account.gateway.url(), "--key-file", key, "--application", account.app,
            "--message", account.message, "--handset", smsc.url, *options], folder)
        self.program.wait_text("\n", "out")
        self.url = self.program.out().split()[1]

    def browser(self):
        return Browser(self)


class Browser:
    """A person without JavaScript: fills in the forms that the page has."""

    def __init__(self, form):
        self.form, self.session, self.page = form, requests.Session(), ""
        self.session.headers["Origin"] = form.url.rstrip("/")
        self.get()

    def get(self):
        return self._keep(self.session.get(self.form.url, timeout=30))

    def post(self, act, headers=None, **fields):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._keep(self.session.post(self.form.url + act, data=fields, headers=headers, timeout=30))

    def _keep(self, answer):
        self.page, self.status = answer.text, answer.status_code
        return answer

    @property
    def heading(self):
        return re.sub(r"<[^>]*>", "", re.search(r"<h1.*?>(.*?)</h1>", self.page)[1])

    @property
    def error(self):
        return re.search(r'role="alert" (?:hidden)?>(.*?)</p>', self.page)[1]


@pytest.fixture
def start(world):
    def started(settings=None, form=(), simulator=(), **kw):
        smsc = Simulator(world, *simulator)
        gateway = world.gateway({"simulator": {"port": smsc.port}}, http={}, **kw).start()
        account = Account(gateway, "demo", {"pinAttempts": "3", **(settings or {})})
        account.message = account.new_message("--length", "8", text="Your code is {{pin}}")
        opened = Form(account, smsc, *form)
        world.closing.append(opened.program.stop)
        return opened
    return started


@pytest.fixture
def form(start):
    return start()


def test_a_number_then_the_pin_of_the_sms_signs_in(form):
    to, browser = number(), form.browser()
    assert browser.heading == "Sign in"
    assert browser.post("number", number=f"+{to[:3]} {to[3:5]}-{to[5:]}").history[0].status_code == 303
    assert browser.heading == "Enter the code" and f"+{to}" in browser.page
    assert 'autocomplete="one-time-code"' in browser.page and 'inputmode="numeric"' in browser.page
    assert form.smsc.url + "#" + to in browser.page
    pin = form.smsc.pin(to)
    browser.post("pin", pin=f" {pin[:4]} {pin[4:]} ")
    assert browser.heading == "Signed in" and f"+{to}" in browser.page
    browser.post("leave")
    assert browser.heading == "Sign in"
    assert to not in form.program.err()  # PINs and keys are looked for at the end of each test


def test_a_wrong_pin_says_how_many_tries_are_left_and_the_last_one_ends_it(form):
    to, browser = number(), form.browser()
    browser.post("number", number="+" + to)
    wrong = "0" * 8 if form.smsc.pin(to) != "0" * 8 else "1" * 8
    for left in ("You have 2 more tries.", "You have one more try."):
        browser.post("pin", pin=wrong)
        assert browser.status == 400 and left in browser.error and browser.heading == "Enter the code"
    browser.post("pin", pin=wrong)
    assert "one try too many" in browser.error and "Send a new code" in browser.page
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.heading == "Enter the code"
    browser.post("again")
    assert "We have sent a new code." in browser.page and len(form.smsc.messages(to)) == 2
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.heading == "Signed in"


def test_send_again_sends_the_same_pin(form):
    to, browser = number(), form.browser()
    browser.post("number", number="+" + to)
    browser.post("again")
    assert "We have sent the code once more." in browser.page
    first, second = form.smsc.messages(to)
    assert first["text"] == second["text"]
    browser.get()
    assert "once more" not in browser.page
    browser.post("pin", pin=pin_in(second["text"]))
    assert browser.heading == "Signed in"


@pytest.mark.parametrize("typed", ["", "abc", "0911234567", "+0911234567", "+12", "+3859112345678901", "++385911234567"])
def test_what_is_no_number_is_not_sent(form_once, typed):
    browser = form_once.browser()
    browser.post("number", number=typed)
    assert browser.status == 400 and "with a + and the country code" in browser.error
    assert browser.heading == "Sign in" and "Error: " in browser.page


@pytest.fixture(scope="session")
def form_once(shared_world):
    """For tests that break nothing and send nothing: its gateway has no HTTP."""
    class Phone:
        url = "http://127.0.0.1:1/"
    opened = Form(shared_world.account, Phone, api=f"http://127.0.0.1:{free_port()}")
    yield opened
    opened.program.stop()


def test_markup_in_the_number_comes_back_as_text(form_once):
    browser = form_once.browser()
    evil = '"><script>alert(1)</script>$number${body}&lt;'
    browser.post("number", number=evil)
    assert "<script>alert" not in browser.page
    assert 'value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;$number${body}&amp;lt;"' in browser.page


def test_a_gateway_that_is_away_is_told_as_such(form_once):
    browser = form_once.browser()
    browser.post("number", number="+385911234567")
    assert browser.status == 503 and "at the moment" in browser.error and browser.heading == "Sign in"
    assert "385911234567" in browser.page


def test_the_page_tells_browsers_to_trust_nothing_else(form_once):
    answer = form_once.browser().get()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?! src)|\son\w+=|\sstyle=", answer.text)
    for path, kind in (("form.js", "text/javascript"), ("form.css", "text/css"), ("icon.svg", "image/svg+xml")):
        assert requests.get(form_once.url + path, timeout=5).headers["Content-Type"].startswith(kind)
    for path in ("server.py", "../server.py", "%2e%2e/server.py", "page.html"):
        assert requests.get(form_once.url + path, timeout=5).status_code == 404


def test_forms_from_elsewhere_and_too_large_ones_are_refused(form_once):
    browser = form_once.browser()
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}):
        assert browser.post("number", headers, number="+385911234567").status_code == 403
    assert requests.get(form_once.url, headers={"Host": "evil.example"}, timeout=5).status_code == 421
    assert browser.post("number", number="+" * 2000).status_code == 413
    assert browser.post("number", {"Content-Type": "application/json"}, number="1").status_code == 415
    with socket.create_connection(("127.0.0.1", int(form_once.url.rsplit(":", 1)[1][:-1])), timeout=5) as s:
        s.sendall(b"POST /number HTTP/1.0\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
                  % form_once.url.split("/")[2].encode())
        assert b" 411 " in s.recv(100)


def test_the_cookie_is_out_of_reach_and_says_nothing(form):
    to, browser = number(), form.browser()
    answer = browser.session.post(form.url + "number", {"number": "+" + to}, allow_redirects=False, timeout=30)
    cookie = answer.headers["Set-Cookie"]
    assert "; HttpOnly" in cookie and "; SameSite=Strict" in cookie and "; Path=/" in cookie and "Max-Age=" in cookie
    assert re.match(r"signin=[\w-]{43};", cookie) and to not in cookie
    before = browser.session.cookies["signin"]
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.heading == "Signed in" and browser.session.cookies["signin"] != before
    stale = form.browser()
    stale.session.cookies.set("signin", before)
    stale.get()
    assert stale.heading == "Sign in"


def test_behind_tls_the_cookie_is_for_tls_alone(start):
    form = start(form=("--origin", "https://signin.example"))
    answer = requests.post(f"http://127.0.0.1:{_port(form)}/number", {"number": "+" + number()},
                           headers={"Host": "signin.example", "Origin": "https://signin.example"},
                           allow_redirects=False, timeout=30)
    assert answer.headers["Set-Cookie"].startswith("__Host-signin=") and "; Secure" in answer.headers["Set-Cookie"]


def _port(form):
    """Where it listens, when it calls itself something else."""
    inodes = {os.readlink(f)[8:-1] for f in pathlib.Path(f"/proc/{form.program.pid}/fd").iterdir()
              if os.readlink(f).startswith("socket:[")}
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and words[9] in inodes:
            return int(words[1].split(":")[1], 16)


def test_the_pin_of_one_browser_is_of_no_use_in_another(form):
    to, browser, other = number(), form.browser(), form.browser()
    browser.post("number", number="+" + to)
    other.post("pin", pin=form.smsc.pin(to))
    assert other.status == 400 and other.heading == "Sign in" and "Start again" in other.error
    other.session.cookies.set("signin", "A" * 43)
    other.post("pin", pin=form.smsc.pin(to))
    assert other.status == 400 and other.heading == "Sign in"
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.heading == "Signed in"


def test_too_many_sends_say_when_to_come_back(start):
    form = start({"sendPinPerPhoneNumberLimit": "1/2h"})
    to = number()
    form.browser().post("number", number="+" + to)
    browser = form.browser()
    browser.post("number", number="+" + to)
    assert browser.status == 429 and "try again in 2 hours" in browser.error and browser.heading == "Sign in"


@pytest.fixture
def inside():
    """The form's server in this process, where its limits can be set."""
    options = types.SimpleNamespace(listen="127.0.0.1:0", origin="", handset="")
    s = server.Server(options, pinbind.Api("http://127.0.0.1:1", "key", "A", "M"))
    thread = threading.Thread(target=s.serve_forever, args=[0.05])
    thread.start()
    yield s
    s.shutdown()
    thread.join()
    s.server_close()


def test_a_client_that_takes_its_time_is_cut_off(inside, monkeypatch):
    monkeypatch.setattr(server, "CONNECTION_S", 0.2)
    with socket.create_connection(inside.server_address, timeout=10 * SLOW) as s:
        s.sendall(b"GET / HTTP/1.0\r\n")
        with contextlib.suppress(OSError):
            while not select.select([s], [], [], 0.05)[0]:
                s.sendall(b"X: y\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""
    assert requests.get(inside.origin, timeout=5).status_code == 200


def test_connections_are_bounded(inside, monkeypatch):
    monkeypatch.setattr(inside, "room", threading.BoundedSemaphore(2))
    held = [socket.create_connection(inside.server_address, timeout=5) for _ in range(2)]
    with socket.create_connection(inside.server_address, timeout=5) as s:
        assert s.recv(1) == b""
    for s in held:
        s.sendall(f"GET / HTTP/1.0\r\nHost: {inside.origin[7:]}\r\n\r\n".encode())
        assert s.recv(12) == b"HTTP/1.0 200"
        s.close()

    def there():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(inside.origin, timeout=5).status_code == 200
    wait_for(there, "room again")


def test_sessions_are_bounded_and_end(monkeypatch):
    sessions = server.Sessions()
    monkeypatch.setattr(server, "SESSIONS_MAX", 2)
    first, second, third = (sessions.new(number=n) for n in "abc")
    assert [sessions.get(c).get("number") for c in (first, second, third)] == [None, "b", "c"]
    monkeypatch.setattr(server, "SESSION_S", 0)
    assert sessions.get(sessions.new(number="d")) == {}


def test_nobody_is_told_to_come_too_early():
    assert [pinbind.duration(s) for s in (0, 1, 59, 60, 61, 7200, 7201, 86401)] == [
        "a moment", "1 second", "59 seconds", "1 minute", "2 minutes", "2 hours", "3 hours", "2 days"]


def test_what_cannot_be_a_pin_is_no_end(form):
    to, browser = number(), form.browser()
    browser.post("number", number="+" + to)
    for typed in ("\0", "1" * 900):
        browser.post("pin", pin=typed)
        assert browser.status == 400 and "not" in browser.error and "Send again" in browser.page
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.heading == "Signed in"


def test_tries_in_quick_succession_are_slowed_down_and_cost_none(start):
    form = start({"verifyPinLimit": "1/1h"})
    to, browser = number(), form.browser()
    browser.post("number", number="+" + to)
    browser.post("pin", pin="x")
    browser.post("pin", pin=form.smsc.pin(to))
    assert browser.status == 429 and "try again in" in browser.error and browser.heading == "Enter the code"


def test_a_pin_that_has_expired_is_followed_by_a_new_one(start):
    form = start({"pinTimeToLive": "1s", "pinAttempts": "1000"})
    to, browser = number(), form.browser()
    browser.post("number", number="+" + to)

    def expired():
        browser.post("pin", pin="x")
        return "expired" in browser.error or "any more" in browser.error
    wait_for(expired, lambda: browser.error)
    browser.post("again")
    assert "new code" in browser.page and len(form.smsc.messages(to)) == 2


def test_a_refusal_by_the_operator_asks_for_another_number(start):
    form = start(simulator=("--fault", "invalid-dest:100"))
    browser = form.browser()
    browser.post("number", number="+" + number())
    assert browser.status == 400 and "try another one" in browser.error and browser.heading == "Sign in"


def test_the_phone_links_to_nothing_but_a_web_page(world):
    smsc = Simulator(world)
    assert requests.get(smsc.url + "form", timeout=5).json() is None
    for url in ("javascript:alert(1)", 'http://a/"x', "http://a/\\n", "ftp://a/", "http://" + "a" * 512):
        code, _, err = run([BUILD / "pinbind-smsc", "--form-url", url])
        assert code == 1 and "--form-url" in err


# ./demo itself, in a copy with other ports

class Demo:
    PORTS = ("2775", "8025", "8080", "8081", "8090")

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ports = {p: str(free_port()) for p in self.PORTS}
        (self.folder / "conf").mkdir()
        (self.folder / "build").mkdir()
        shutil.copytree(ROOT / "tests/examples", self.folder / "tests/examples")
        for name in ("pinbindd", "pinbindctl", "pinbind-smsc"):
            (self.folder / "build" / name).symlink_to(BUILD / name)
        for name in ("demo", "conf/demo.conf"):
            text = (ROOT / name).read_text()
            for old, new in self.ports.items():
                text = re.sub(rf"\b{old}\b", new, text)
            (self.folder / name).write_text(text)
        self.script = self.folder / "demo"

    def start(self):
        self.program = Program("demo", ["env", "--default-signal=INT", "sh", self.script], self.folder)
        return self

    def parts(self):
        """Processes that work in its folder or for it."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                if str(self.folder) in line + os.readlink(entry / "cwd"):
                    found[int(entry.name)] = line
            except OSError:
                pass
        return found

    def close(self):
        if hasattr(self, "program"):
            self.program.stop()
        for pid in self.parts():  # of a demo that failed to end them
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass


@pytest.fixture
def demo():
    with tempfile.TemporaryDirectory(prefix="pb-demo-", dir="/tmp") as folder:
        d = Demo(folder)
        yield d
        d.close()


def test_every_line_that_the_demo_prints_works_when_pasted(demo):
    demo.start().program.wait_text("Ctrl-C ends it.", "out", 30)
    said = demo.program.out()
    block = said[said.index("# over HTTP"):said.index("Ctrl-C ends it.")]
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", block], capture_output=True, text=True, cwd="/",
                          timeout=30 * SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"smsStatus":"MESSAGE_SENT"' in done.stdout and '"verified":true' in done.stdout, done.stdout
    assert len(re.findall(r"^Your code is \d+$", done.stdout, re.M)) == 2, done.stdout
    assert re.search(r"^verified\n1$", done.stdout, re.M) and "VERIFIED" in done.stdout
    assert "BOUND" in done.stdout and "pinbind_bind_state" in done.stdout
    assert done.stdout.endswith("simulator/0: unbinds, then binds\n")
    assert not done.stderr, done.stderr
    for url in re.findall(r"http://\S+/(?=  )", said):
        assert requests.get(url, timeout=5).status_code == 200
    phone = f"http://127.0.0.1:{demo.ports['8025']}/form"
    assert requests.get(phone, timeout=5).json() == f"http://127.0.0.1:{demo.ports['8090']}/"

    demo.program.wait_text("event=receipt ", "err", count=2)
    for event in ("submit_result", "pin_send", "receipt", "pin_verify"):
        assert f"event={event} " in demo.program.err()
    wait_for(lambda: ">>> SMS to 385911234567: Your code is" in demo.program.out(), demo.program.out)

    demo.program.signal(2)
    demo.program.wait_text("demo: stopping", "out")
    demo.program.signal(2)  # of who is impatient
    assert demo.program.wait(20) == 0
    wait_for(lambda: not demo.parts(), demo.parts)
    for port in demo.ports.values():
        socket.create_server(("127.0.0.1", int(port))).close()


def test_the_demo_draws_its_keys_anew(demo):
    keys = []
    for _ in range(2):
        demo.start().program.wait_text("Ctrl-C ends it.", "out", 30)
        run_folder = demo.folder / "build/run"
        keys.append([(run_folder / name).read_text() for name in ("api.key", "pin.key", "simulator.pass")])
        assert all((run_folder / name).stat().st_mode & 0o077 == 0 for name in ("api.key", "pin.key", "simulator.pass"))
        assert demo.program.stop() == 0
        demo.program.out_path.unlink()
    assert not set(keys[0]) & set(keys[1])


def test_a_second_demo_says_how_to_end_the_first(demo):
    demo.start().program.wait_text("Ctrl-C ends it.", "out", 30)
    demo.program.popen.kill()
    demo.program.popen.wait()
    code, _, err = run(["sh", demo.script])
    advice = re.search(r"end it first: (kill [\d ]+)", err)
    assert code == 1 and advice, err
    subprocess.run(["sh", "-c", advice[1]], stderr=subprocess.DEVNULL, check=False)
    wait_for(lambda: not demo.parts(), demo.parts, 20)
    demo.start().program.wait_text("Ctrl-C ends it.", "out", 30, count=2)


def test_the_demo_says_which_port_is_taken(demo):
    for port in demo.ports.values():
        with socket.create_server(("127.0.0.1", int(port))):
            code, _, err = run(["sh", demo.script])
        assert code == 1 and f"127.0.0.1:{port}" in err and "in use" in err and not demo.parts()


@pytest.mark.parametrize("change", ['listen = "0.0.0.0:8080"', 'noc_listen="192.0.2.1:1"', 'listen = "[::]:1"',
                                    'insecure = true', 'listen = 0.0.0.0:1', 'tcp = "10.0.0.1:2777"',
                                    'listen = "127.0.0.1:1" listen = "0.0.0.0:1"'])
def test_the_demo_stays_on_loopback(demo, change):
    conf = demo.folder / "conf/demo.conf"
    conf.write_text(conf.read_text().replace("http {", "http {\n  " + change + "\n"))
    code, _, err = run(["sh", demo.script])
    assert code == 1 and "only for loopback" in err and not demo.parts()
