#!/usr/bin/python3
"""Signing in with a phone number: an example for those who build a back end on pinbind's HTTP API.

The browser never sees the API key or the pinId.  It holds a cookie that says nothing; what belongs
to the cookie is kept here.  What is asked of the gateway stands in pinbind.py.

Nothing but Python's standard library, so that it runs everywhere.  In production your framework
does sessions, templates and connections, and TLS stands in front: give --origin https://... then.
Bound there, too, how many numbers one client may send to: each SMS costs, and some who fill in
forms earn by it.
"""
import argparse
import html
import http.server
import pathlib
import re
import secrets
import signal
import socket
import string
import sys
import threading
import time
import urllib.parse

from pinbind import Api, Problem

FOLDER = pathlib.Path(__file__).resolve().parent
FILES = {"/form.css": "text/css; charset=utf-8", "/form.js": "text/javascript; charset=utf-8",
         "/icon.svg": "image/svg+xml"}
TITLES = {"number": "Sign in", "pin": "Enter the code", "done": "Signed in"}  # and NAME.html
BODY_MAX = 1024         # octets of a form
CONNECTIONS_MAX = 64    # at a time; further ones are closed
CONNECTION_S = 40       # the life of one: longer than the gateway may take
SESSIONS_MAX = 10000    # the oldest makes room for the newest
SESSION_S = 15 * 60     # as long as a PIN may live
LATE = "Too much time has passed. Start again with your number."
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
                               "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "otp-credentials=(self)",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Sessions:
    """What belongs to a cookie: number, pin_id, over, notice, signed_in.  Cookies cannot be guessed."""

    def __init__(self):
        self.lock, self.rows = threading.Lock(), {}

    def new(self, **fields):
        cookie = secrets.token_urlsafe(32)
        with self.lock:
            while len(self.rows) >= SESSIONS_MAX:
                del self.rows[next(iter(self.rows))]
            self.rows[cookie] = {**fields, "until": time.monotonic() + SESSION_S}
        return cookie

    def get(self, cookie):
        """A copy; {} where there is none. A notice is told once."""
        with self.lock:
            row = self.rows.get(cookie, {"until": 0})
            found = dict(row) if row["until"] > time.monotonic() else {}
            row.pop("notice", None)
        return found

    def change(self, cookie, **fields):
        with self.lock:
            if cookie in self.rows:
                self.rows[cookie].update(fields)

    def drop(self, cookie):
        with self.lock:
            self.rows.pop(cookie, None)


class Forms:
    """What each form does: takes the cookie, its session and the fields, and returns the cookie from here on."""

    def __init__(self, api, sessions):
        self.api, self.sessions = api, sessions
        self.acts = {"/number": self.number, "/pin": self.pin, "/again": self.again, "/leave": self.leave}

    def number(self, cookie, session, fields):
        session.clear()  # an error shows the form for the number again
        number = re.sub(r"[\s().\-/\u2010-\u2013]", "", fields.get("number", ""))
        number = re.sub(r"^00", "+", number)
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
            raise Problem(400, "Write the whole number, with a + and the country code.")
        pin_id = self.api.send(number)
        self.sessions.drop(cookie)
        return self.sessions.new(number=number, pin_id=pin_id)

    def pin(self, cookie, session, fields):
        if "pin_id" not in session:
            raise Problem(400, LATE)
        pin = re.sub(r"\s", "", fields.get("pin", ""))
        if not pin:
            raise Problem(400, "Type the code from the message.")
        self.api.verify(session["pin_id"], pin)
        self.sessions.drop(cookie)  # whoever knew the old cookie is not signed in
        return self.sessions.new(number=session["number"], signed_in=True)

    def again(self, cookie, session, fields):
        if "pin_id" not in session:
            raise Problem(400, LATE)
        try:
            if session.get("over"):
                raise Problem(400, "", over=True)
            self.api.resend(session["pin_id"])
            notice = "We have sent the code once more."
        except Problem as problem:
            if not problem.over:
                raise
            self.sessions.change(cookie, pin_id=self.api.send(session["number"]), over=False)
            notice = "We have sent a new code. Earlier ones do not work any more."
        self.sessions.change(cookie, notice=notice)
        return cookie

    def leave(self, cookie, session, fields):
        self.sessions.drop(cookie)
        return ""


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10  # for each read and write; CONNECTION_S for all of them
    server_version, sys_version = "webform", ""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if not self._is_ours():
            self._plain(421, f"This is {self.server.origin}/\n")
        elif path == "/":
            self._page(200, self.server.sessions.get(self._cookie()))
        elif path in FILES:
            self._answer(200, (FOLDER / path[1:]).read_bytes(), {"Content-Type": FILES[path]})
        else:
            self._plain(404, "There is no such page.\n")

    def do_POST(self):
        act = self.server.forms.acts.get(self.path)
        if not act:
            return self._plain(404, "There is no such page.\n")
        if not self._is_ours() or not self._is_from_here():
            return self._plain(403, "This form was sent from another page.\n")
        fields = self._fields()
        if fields is None:
            return
        cookie = self._cookie()
        session = self.server.sessions.get(cookie)
        try:
            self._go(act(cookie, session, fields))
        except Problem as problem:
            if problem.over:
                self.server.sessions.change(cookie, over=True)
                session["over"] = True
            self._page(problem.status, session, problem, fields.get("number", ""))

    def _is_ours(self):
        """A page of another name that was made to lead here gets nothing (DNS rebinding)."""
        return self.headers.get("Host", "") == urllib.parse.urlsplit(self.server.origin).netloc

    def _is_from_here(self):
        """Browsers say where a form comes from; who says nothing is no browser, and has no cookie to misuse."""
        return (self.headers.get("Sec-Fetch-Site") in (None, "same-origin", "none") and
                self.headers.get("Origin") in (None, self.server.origin))

    def _cookie(self):
        found = re.search(rf"(?:^|; ?){self.server.cookie}=([\w-]{{43}})(?:;|$)", self.headers.get("Cookie", ""))
        return found[1] if found else ""

    def _fields(self):
        """The form's fields; None: refused and answered."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            return self._plain(415, "This is not a form.\n")
        if not re.fullmatch("[0-9]{1,9}", length):
            return self._plain(411, "The length of the form is missing.\n")
        if int(length) > BODY_MAX:
            return self._plain(413, "This form is too long.\n")
        body = self.rfile.read(int(length))
        try:
            if len(body) == int(length):
                return dict(urllib.parse.parse_qsl(body.decode(), errors="strict", max_num_fields=8))
        except ValueError:
            pass
        return self._plain(400, "This form cannot be read.\n")

    def _page(self, status, session, problem=None, typed=""):
        name = "done" if session.get("signed_in") else "pin" if "pin_id" in session else "number"
        number, handset = session.get("number", ""), self.server.handset
        values = {
            "title": ("Error: " if problem else "") + TITLES[name], "number": number, "typed": typed,
            "error": problem.sentence if problem else "", "invalid": "true" if problem else "false",
            "notice": "" if problem else session.get("notice", ""),
            "again": "Send a new code" if session.get("over") else "Send again",
            "handset": handset + "#" + number[1:] if handset and number else handset,
        }
        values = {k: html.escape(v) for k, v in values.items()}
        values |= {"no_" + k: "" if values[k] else "hidden" for k in ("error", "notice", "handset")}
        for name in (name, "page"):
            values["body"] = string.Template((FOLDER / f"{name}.html").read_text()).substitute(values)
        headers = {"Content-Type": "text/html; charset=utf-8"}
        if problem and problem.retry_s:
            headers["Retry-After"] = str(problem.retry_s)
        self._answer(status, values["body"].encode(), headers)

    def _go(self, cookie):
        """To the page by GET, so that reloading or going back sends nothing twice."""
        secure = "; Secure" if self.server.origin.startswith("https:") else ""
        self._answer(303, b"", {"Location": "/", "Set-Cookie": f"{self.server.cookie}={cookie}; Path=/; HttpOnly; "
                     f"SameSite=Strict; Max-Age={SESSION_S if cookie else 0}{secure}"})

    def _plain(self, status, sentence):
        self._answer(status, sentence.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        print(f"webform: {self.command} {self.path.partition('?')[0]!r} {int(code)}", file=sys.stderr, flush=True)

    def log_message(self, format, *args):
        """Nothing else: what a person typed has no place in a log."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options, api):
        host, _, port = options.listen.rpartition(":")
        super().__init__((host, int(port)), Handler)
        self.origin = options.origin or f"http://{host}:{self.server_address[1]}"
        # With the prefix, browsers take the cookie from this host over TLS alone
        self.cookie = "__Host-signin" if self.origin.startswith("https:") else "signin"
        self.handset, self.sessions = options.handset, Sessions()
        self.forms = Forms(api, self.sessions)
        self.room = threading.BoundedSemaphore(CONNECTIONS_MAX)

    def process_request(self, request, client_address):
        if self.room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        late = threading.Timer(CONNECTION_S, cut, [request])
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self.room.release()

    def handle_error(self, request, client_address):
        print(f"webform: a request ended by {sys.exc_info()[0].__name__}", file=sys.stderr, flush=True)


def cut(request):
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has just ended by itself


def main():
    p = argparse.ArgumentParser(description="A sign-in form on pinbind's HTTP API.")
    p.add_argument("--listen", default="127.0.0.1:8090", metavar="ADDRESS:PORT", help="port 0: any")
    p.add_argument("--origin", default="", metavar="URL", help="what browsers see: https://... behind TLS")
    p.add_argument("--api", default="http://127.0.0.1:8080", metavar="URL", help="pinbind's HTTP API")
    p.add_argument("--key-file", required=True, metavar="FILE", help="the API key, on its first line")
    p.add_argument("--application", required=True, metavar="ID")
    p.add_argument("--message", required=True, metavar="ID", help="the message template")
    p.add_argument("--handset", default="", metavar="URL", help="for trying: pinbind-smsc's page, to link to")
    options = p.parse_args()
    key = pathlib.Path(options.key_file).read_text().partition("\n")[0].strip()
    try:
        server = Server(options, Api(options.api, key, options.application, options.message))
    except OSError as e:
        sys.exit(f"webform: cannot listen on {options.listen}: {e.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"webform: {server.origin}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
