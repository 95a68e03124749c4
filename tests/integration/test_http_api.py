"""The HTTP API: PINs, keys, errors and health, over real binds; stock clients connect as they are."""
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest
import requests

from http_api import Client, failure
from procs import BUILD, ROOT, SLOW, Program, run, wait_for
from world import Account, World, number, pin_in

NO_ID = "0" * 32


@pytest.fixture(scope="module")
def both():
    w = World()
    smsc = w.node("smsc")
    gateway, account = w.start({"acme": smsc}, http={"auth_failures_per_min": 1000})
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    account.http = Client(gateway, account.key)
    yield gateway, account, smsc
    w.close(False)


@pytest.fixture
def gateway(both):
    return both[0]


@pytest.fixture
def account(both):
    return both[1]


@pytest.fixture
def smsc(both):
    return both[2]


def send(account, to, path="/2fa/2/pin", q=None, message=None, **fields):
    body = {"applicationId": account.app, "messageId": message or account.plain, "to": to, **fields}
    if q is not None:
        body |= {"messageId": account.message, "placeholders": {"q": f"q:{q}" if q else "."}}
    response = account.http.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def verify(account, pin_id, pin, version=2):
    return account.http.post(f"/2fa/{version}/pin/{pin_id}/verify", json={"pin": pin})


def other(pin):
    return pin[:-1] + str((int(pin[-1]) + 1) % 10)


# --- the way of a PIN


@pytest.mark.parametrize("version", [1, 2])
def test_a_pin_is_sent_resent_and_verified(account, smsc, version):
    to = number()
    sent = send(account, "+" + to, f"/2fa/{version}/pin")
    assert sent == {"pinId": sent["pinId"], "to": to, "ncStatus": "NC_NOT_CONFIGURED", "smsStatus": "MESSAGE_SENT"}
    assert re.fullmatch("[0-9A-F]{32}", sent["pinId"])
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    again = account.http.post(f"/2fa/{version}/pin/{sent['pinId']}/resend")
    assert again.json() == {"pinId": sent["pinId"], "to": to, "smsStatus": "MESSAGE_SENT"}
    assert pin_in(smsc.wait_submits(to, 2)[1]["text"]) == pin
    wrong = verify(account, sent["pinId"], other(pin), version)
    assert wrong.status_code == 200 and wrong.json() == {
        "pinId": sent["pinId"], "msisdn": to, "verified": False, "attemptsRemaining": 9, "pinError": "WRONG_PIN"}
    right = verify(account, sent["pinId"], pin, version)
    assert right.status_code == 200 and right.json() == {
        "pinId": sent["pinId"], "msisdn": to, "verified": True, "attemptsRemaining": 0}
    assert account.status(sent["pinId"])["state"] == "VERIFIED"  # behind the other door


def test_a_pin_sent_through_one_door_is_verified_through_the_other(account, smsc):
    to = number()
    sent = account.send(to)
    assert verify(account, sent["pinId"], pin_in(smsc.wait_submits(to)[0]["text"])).json()["verified"] is True
    to = number()
    sent = send(account, to)
    assert account.verify(sent["pinId"], pin_in(smsc.wait_submits(to)[0]["text"]))["verified"] == 1


@pytest.mark.parametrize("query, is_shown", [
    ("", True), ("?ncNeeded=true", True), ("/?ncNeeded=undefined", True), ("?ncNeeded=True", True), ("?ncNeeded=1", True),
    ("?ncNeeded=", True), ("?x=ncNeeded=false&y", True), ("?ncNeeded=false", False), ("?a=1&ncNeeded=False", False),
    ("/?ncNeeded=0", False), ("?ncNeeded=%66alse", False)])
def test_nc_needed_is_read_as_every_sdk_writes_it(account, query, is_shown):
    assert ("ncStatus" in send(account, number(), "/2fa/2/pin" + query)) == is_shown


def test_fields_of_a_send(account, smsc):
    to = number()
    sent = send(account, to, **{"from": "Other", "trackDelivery": True, "unknown": {"x": [1]}, "placeholders": None})
    assert re.fullmatch("[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}", sent["externalMessageId"])
    assert smsc.wait_submits(to)[0]["src"] == "Other"
    again = account.http.post(f"/2fa/2/pin/{sent['pinId']}/resend", json={"trackDelivery": True}).json()
    assert again["externalMessageId"] == sent["externalMessageId"]


def test_placeholders_fill_the_text_and_a_resend_may_change_them(account, smsc):
    to = number()
    sent = send(account, to, message=account.message, placeholders={"q": "čšž \"quoted\""})
    assert smsc.wait_submits(to)[0]["text"].endswith(" čšž \"quoted\"")
    account.http.post(f"/2fa/2/pin/{sent['pinId']}/resend/", json={"placeholders": {"q": "two"}})
    assert smsc.wait_submits(to, 2)[1]["text"].endswith(" two")


@pytest.mark.parametrize("body", [None, "", "{}", '{"trackDelivery":false}\n'])
def test_a_resend_takes_any_small_body(account, body):
    sent = send(account, number())
    response = account.http.post(f"/2fa/2/pin/{sent['pinId']}/resend", data=body)
    assert response.status_code == 200 and response.json()["smsStatus"] == "MESSAGE_SENT"


@pytest.mark.parametrize("quirk, expected", [
    ("", ("MESSAGE_DELIVERED", True)), ("dlrundeliv", ("MESSAGE_NOT_DELIVERED", True)), ("dlrrej", ("MESSAGE_REJECTED", True)),
    ("rinvdstadr", ("MESSAGE_INVALID_DESTINATION_ADDRESS", True)), ("rsubmitfail", ("MESSAGE_REJECTED", True))])
def test_status_is_a_list_of_messages_in_the_words_of_version_1(account, quirk, expected):
    sent = send(account, number(), q=quirk)
    seen = []

    def there():
        seen[:] = account.http.get(f"/2fa/1/pin/{sent['pinId']}/status").json()
        return seen and (seen[-1]["status"], seen[-1]["finalStatus"]) == expected
    wait_for(there, lambda: f"{expected}: {seen}")
    assert all(set(row) == {"status", "description", "finalStatus"} for row in seen)
    assert account.http.get(f"/2fa/2/pin/{sent['pinId']}/status/").json() == seen


def test_status_has_a_row_for_each_message(account):
    sent = send(account, number())
    account.http.post(f"/2fa/2/pin/{sent['pinId']}/resend")
    assert len(account.http.get(f"/2fa/2/pin/{sent['pinId']}/status").json()) == 2


# --- what is refused


@pytest.mark.parametrize("change, field", [
    ({"applicationId": None}, "applicationId"), ({"applicationId": 5}, "applicationId"), ({"messageId": None}, "messageId"),
    ({"messageId": ["x"]}, "messageId"), ({"to": None}, "to"), ({"to": 385911234567}, "to"), ({"to": "12"}, "to"),
    ({"to": ""}, "to"), ({"to": "a\nb"}, "to"), ({"from": 5}, "from"), ({"from": "much too long a sender"}, "from"),
    ({"trackDelivery": "true"}, "trackDelivery"), ({"trackDelivery": 1}, "trackDelivery"),
    ({"placeholders": []}, "placeholders"), ({"placeholders": {"q": 1}}, "placeholders"),
    ({"placeholders": {"q": None}}, "placeholders"), ({"placeholders": {"q": ".", "pin": "1"}}, "placeholders"),
    ({"placeholders": {}}, "placeholders"), ({"placeholders": {"q": ".", "more": "x"}}, "placeholders"),
    ({"placeholders": {f"k{i}": "x" for i in range(17)}}, "placeholders"),
    ({"placeholders": {"q": "x" * 1000}}, "placeholders")])
def test_a_wrong_field_is_named(account, change, field):
    body = {"applicationId": account.app, "messageId": account.message, "to": number(), "placeholders": {"q": "."}} | change
    failure(account.http.post("/2fa/2/pin", json=body), 400, "BAD_REQUEST", field)


def test_a_pin_must_be_a_string(account):
    sent = send(account, number())
    text = failure(verify(account, sent["pinId"], 12345678), 400, "BAD_REQUEST", "pin")
    assert "string" in text and "zero" in text
    for wrong in (None, True, ["1"], {}):
        failure(verify(account, sent["pinId"], wrong), 400, "BAD_REQUEST", "pin")
    failure(account.http.post(f"/2fa/2/pin/{sent['pinId']}/verify", json={}), 400, "BAD_REQUEST", "pin")
    assert account.status(sent["pinId"])["attemptsRemaining"] == 10
    assert verify(account, sent["pinId"], "").json()["attemptsRemaining"] == 9


@pytest.mark.parametrize("data", ['{"to":', "[]", "5", '"x"', '{"a":1,"a":2}', '{"to":"\\u0000"}', "\ufeff{}".encode(), "", " ",
                                  '{"a":' + "[" * 5000, b'{"a":"\xff"}'])
def test_a_body_that_is_no_json_object_is_400_and_not_quoted(account, data):
    text = failure(account.http.post("/2fa/2/pin", data=data), 400, "BAD_REQUEST")
    assert text.startswith("the body: ") and "near" not in text


@pytest.mark.parametrize("headers", [{"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"},
                                     {"Content-Type": "application/json; charset=utf-16"},
                                     {"Content-Type": "application/json", "Content-Encoding": "gzip"}])
def test_another_type_of_body_is_415(account, headers):
    failure(account.http.post("/2fa/2/pin", data="{}", headers=headers), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("content_type", [None, "application/json;charset=UTF-8", "APPLICATION/JSON"])
def test_json_is_taken_by_these_types(account, content_type):
    body = {"applicationId": account.app, "messageId": account.plain, "to": number()}
    response = account.http.post("/2fa/2/pin", data=json.dumps(body).encode(), headers={"Content-Type": content_type})
    assert response.status_code == 200, response.text


def test_too_large_a_body_is_413(account):
    failure(account.http.post("/2fa/2/pin", data="x" * 70000), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", ["/", "/2fa", "/2fa/2/pins", "/2fa/3/pin", "/2fa/2//pin", "/2fa/2/pin/x/y/z", "/metrics"])
def test_an_unknown_path_is_404(account, path):
    failure(account.http.get(path), 404, "NOT_FOUND")


def test_another_method_is_405_with_what_the_path_takes(account):
    for method, path, allow in [("GET", "/2fa/2/pin", "POST"), ("DELETE", "/2fa/2/applications", "GET, HEAD, POST"),
                                ("PATCH", f"/2fa/2/applications/{NO_ID}/", "GET, HEAD, PUT"), ("POST", "/healthz", "GET, HEAD")]:
        response = account.http.request(method, path)
        failure(response, 405, "METHOD_NOT_ALLOWED")
        assert response.headers["Allow"] == allow
    response = account.http.options("/2fa/2/applications")
    assert (response.status_code, response.content, response.headers["Allow"]) == (204, b"", "GET, HEAD, POST")


@pytest.mark.parametrize("method, path", [
    ("POST", "/2fa/2/pin/voice"), ("POST", "/2fa/2/pin/email"), ("POST", f"/2fa/2/pin/{NO_ID}/resend/voice"),
    ("POST", f"/2fa/2/pin/{NO_ID}/resend/email"), ("POST", f"/2fa/2/applications/{NO_ID}/email/messages"),
    ("PUT", f"/2fa/2/applications/{NO_ID}/email/messages/{NO_ID}")])
def test_voice_and_email_say_that_there_is_sms_only(account, method, path):
    assert "SMS only" in failure(account.http.request(method, path, json={}), 400, "BAD_REQUEST")


def test_a_key_is_needed_and_must_be_right(gateway, account):
    for header in (None, "", "App", "Basic dTpw", "Bearer x", "App pb_" + "0" * 64, account.key):
        response = Client(gateway).get("/2fa/2/applications", headers={"Authorization": header} if header is not None else {})
        failure(response, 401, "UNAUTHORIZED")
        assert response.headers["WWW-Authenticate"].startswith("App")
    for scheme in ("App", "app", "APP "):
        response = Client(gateway).get(f"/2fa/2/pin/{NO_ID}/status", headers={"Authorization": f"{scheme} {account.key}"})
        failure(response, 404, "NOT_FOUND")


def test_what_is_anothers_is_as_what_is_not_there(gateway, account, smsc):
    stranger = Account(gateway, "stranger")
    stranger.http = Client(gateway, stranger.key)
    to = number()
    sent = send(account, to)
    pin = pin_in(smsc.wait_submits(to)[0]["text"])

    def answers(client, app, message, pin_id):
        asked = [client.post("/2fa/2/pin", json={"applicationId": app, "messageId": message, "to": number()}),
                 client.post("/2fa/2/pin", json={"applicationId": stranger.app, "messageId": message, "to": number()}),
                 client.post(f"/2fa/2/pin/{pin_id}/resend"), client.get(f"/2fa/2/pin/{pin_id}/status"),
                 client.post(f"/2fa/2/pin/{pin_id}/verify", json={"pin": pin}),
                 client.get(f"/2fa/2/applications/{app}"), client.get(f"/2fa/2/applications/{app}/messages"),
                 client.get(f"/2fa/2/applications/{app}/messages/{message}"),
                 client.put(f"/2fa/2/applications/{app}", json={"name": "x"}),
                 client.get(f"/2fa/2/applications/{app}/verifications?msisdn={to}")]
        return [(r.status_code, failure(r, 404, "NOT_FOUND")) for r in asked]
    absent = answers(stranger.http, NO_ID, NO_ID, NO_ID)
    assert answers(stranger.http, account.app, account.plain, sent["pinId"]) == absent
    assert answers(stranger.http, "%2e%2e", "x" * 100, "x%00y") == absent
    assert account.status(sent["pinId"])["attemptsRemaining"] == 10
    assert verify(account, sent["pinId"], pin).json()["verified"] is True


def test_limits_are_429_and_say_when_to_come_back(gateway, account):
    account.app, kept = account.new_app({"sendPinPerPhoneNumberLimit": "1/1h", "verifyPinLimit": "1/1h"}), account.app
    try:
        message, to = account.new_message(text="{{pin}}"), number()
        sent = send(account, to, message=message)
        again = account.http.post("/2fa/2/pin", json={"applicationId": account.app, "messageId": message, "to": to})
        failure(again, 429, "TOO_MANY_REQUESTS")
        assert 3500 < int(again.headers["Retry-After"]) <= 3600
        assert verify(account, sent["pinId"], "1").json()["pinError"] == "WRONG_PIN"
        failure(verify(account, sent["pinId"], "1"), 429, "TOO_MANY_REQUESTS")
    finally:
        account.app = kept


def test_a_disabled_application_is_403(gateway, account):
    app = account.new_app()
    message = account.new_message(text="{{pin}}", app=app)
    put = account.http.put(f"/2fa/2/applications/{app}", json={"name": "off", "enabled": False})
    assert put.status_code == 200, put.text
    body = {"applicationId": app, "messageId": message, "to": number()}
    failure(account.http.post("/2fa/2/pin", json=body), 403, "FORBIDDEN")


def test_wrong_keys_are_counted_and_a_known_key_still_passes(world):
    gateway, account = world.start({"acme": world.node("smsc")}, http={"auth_failures_per_min": 3})
    good, bad = Client(gateway, account.key), Client(gateway, "pb_" + "1" * 64)
    failure(good.get(f"/2fa/2/pin/{NO_ID}/status"), 404, "NOT_FOUND")
    for _ in range(3):
        failure(bad.get("/2fa/2/applications"), 401, "UNAUTHORIZED")
    response = bad.get("/2fa/2/applications")
    failure(response, 429, "TOO_MANY_REQUESTS")
    assert int(response.headers["Retry-After"]) <= 60
    failure(good.get(f"/2fa/2/pin/{NO_ID}/status"), 404, "NOT_FOUND")
    info = gateway.ctl("info")["api"]
    assert info["auth_failures"] == 3 and info["limits_hit"] == 1


# --- health, and what is missing


def test_health_on_both_doors_without_a_key(gateway):
    for noc in (False, True):
        client = Client(gateway, noc=noc)
        for path in ("/healthz", "/readyz", "/readyz/send", "/healthz/"):
            response = client.get(path)
            assert (response.status_code, response.json()) == (200, {"status": "ok"})
            head = client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == response.headers["Content-Length"]
    failure(Client(gateway, noc=True).post("/2fa/2/pin", json={}), 404, "NOT_FOUND")


def test_without_a_bind_nothing_can_be_sent_but_verified(world):
    smsc = world.node("smsc")
    gateway, account = world.start({"acme": smsc}, http={})
    account.http = Client(gateway, account.key)
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    to = number()
    sent = send(account, to)
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    smsc.close()
    client = Client(gateway)
    wait_for(lambda: client.get("/readyz/send").status_code == 503, "readyz/send says no")
    response = client.get("/readyz/send")
    assert response.json() == {"status": "unavailable", "reasons": ["no carrier is bound"]}
    assert client.get("/readyz").status_code == 200
    body = {"applicationId": account.app, "messageId": account.plain, "to": number()}
    failure(account.http.post("/2fa/2/pin", json=body), 503, "SERVICE_UNAVAILABLE")
    assert verify(account, sent["pinId"], pin).json()["verified"] is True


def test_without_the_store_everything_is_503_at_once(world):
    redis = world.redis()
    gateway, account = world.start({"acme": world.node("smsc")}, http={}, **world.redis_store(redis.port))
    account.http = Client(gateway, account.key)
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    sent = send(account, number())
    redis.stop()
    client = Client(gateway)
    wait_for(lambda: client.get("/readyz").status_code == 503, "readyz says no")
    assert client.get("/readyz").json() == {"status": "unavailable", "reasons": ["the store is away"]}
    assert client.get("/healthz").status_code == 200
    failure(verify(account, sent["pinId"], "1"), 503, "SERVICE_UNAVAILABLE")
    failure(Client(gateway, "pb_" + "2" * 64).get("/2fa/2/applications"), 503, "SERVICE_UNAVAILABLE")
    redis.start()
    wait_for(lambda: client.get("/readyz").status_code == 200, "readyz says yes again")
    assert verify(account, sent["pinId"], "1").json()["pinError"] == "WRONG_PIN"


def test_one_listener_serves_everything_where_there_is_no_noc_listener(world):
    gateway, account = world.start({"acme": world.node("smsc")}, http={"noc_listen": ""})
    assert Client(gateway).get("/metrics").status_code == 200
    assert Client(gateway).get("/readyz").status_code == 200
    failure(Client(gateway, account.key).get(f"/2fa/2/pin/{NO_ID}/status"), 404, "NOT_FOUND")


def test_a_request_that_is_open_at_sigterm_is_answered(world):
    smsc = world.node("smsc", "--resp-delay", "1500")
    gateway, account = world.start({"acme": smsc}, http={})
    account.http = Client(gateway, account.key)
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    to, answers = number(), []
    thread = threading.Thread(target=lambda: answers.append(send(account, to)))
    thread.start()
    smsc.wait_submits(to)
    gateway.program.signal(signal.SIGTERM)
    thread.join()
    assert answers[0]["smsStatus"] == "MESSAGE_SENT"
    assert gateway.program.wait() == 0
    log = gateway.log()
    assert "event=drained" in log and "drain_cut_short" not in log


def test_a_request_that_has_begun_at_sigterm_is_answered_by_what_is_left(world):
    smsc = world.node("smsc", "--resp-delay", "1500")
    gateway, account = world.start({"acme": smsc}, http={})
    account.http = Client(gateway, account.key)
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    to = number()
    thread = threading.Thread(target=lambda: send(account, to))  # so that the drain takes its time
    thread.start()
    smsc.wait_submits(to)

    def begin(head, body=""):
        s = socket.create_connection(("127.0.0.1", gateway.http_port), timeout=20 * SLOW)
        s.sendall(f"{head} HTTP/1.1\r\nHost: a\r\nAuthorization: App {account.key}\r\n"
                  f"Content-Length: {len(body)}\r\n\r".encode())
        return s, b"\n" + body.encode()
    body = json.dumps({"applicationId": account.app, "messageId": account.plain, "to": number()})
    begun = [begin("GET /readyz"), begin("POST /2fa/2/pin", body), begin(f"POST /2fa/2/pin/{NO_ID}/verify", '{"pin":"1"}')]
    wait_for(lambda: gateway.ctl("info")["api"]["connections"] == 4, "all are open")
    gateway.program.signal(signal.SIGTERM)
    gateway.wait_log("event=draining")
    answers = []
    for s, rest in begun:
        s.sendall(rest)
        with s, s.makefile("rb") as f:
            answers.append(f.read().decode())  # to its end: the connection is closed
    assert answers[0].startswith("HTTP/1.1 503 ") and '"reasons":["the gateway is shutting down"]' in answers[0]
    assert answers[1].startswith("HTTP/1.1 503 ") and "shutting down" in answers[1] and "Retry-After: 1\r\n" in answers[1]
    assert answers[2].startswith("HTTP/1.1 404 ") and "no such PIN" in answers[2]
    thread.join()
    assert gateway.program.wait() == 0
    assert "event=drained" in gateway.log()


def test_a_verify_that_is_with_the_store_at_sigterm_is_answered(world):
    redis = world.redis()
    gateway, account = world.start({"acme": world.node("smsc")}, http={}, **world.redis_store(redis.port))
    account.http = Client(gateway, account.key)
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    sent, answers = send(account, number()), []
    redis.client().execute_command("CLIENT", "PAUSE", 600, "ALL")
    thread = threading.Thread(target=lambda: answers.append(verify(account, sent["pinId"], "1")))
    thread.start()
    wait_for(lambda: gateway.ctl("info")["ledger"]["outstanding"], "the verify is with the store")
    gateway.program.signal(signal.SIGTERM)
    thread.join()
    assert answers[0].status_code == 200 and answers[0].json()["pinError"] == "WRONG_PIN"
    assert gateway.program.wait() == 0


def certificate(folder, name):
    """A certificate for 127.0.0.1 that signs itself."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    code, out, err = run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert])
    assert code == 0, err
    key.chmod(0o600)
    return cert, key


def test_a_reload_takes_over_limits_and_certificates_and_a_bad_one_changes_nothing(world):
    smsc = {"port": world.node("smsc").port}
    certificates = {name: certificate(world.folder, name) for name in ("one", "two")}

    def http(cert, key, **keys):
        return {"http": {"tls_cert_file": certificates[cert][0], "tls_key_file": certificates[key][1], **keys}}

    def client(name):
        made = Client(gateway, account.key)
        made.base, made.verify = made.base.replace("http:", "https:"), certificates[name][0]
        return made
    gateway, account = world.start({"acme": smsc}, **http("one", "one", max_body=1024))
    path, large = f"/2fa/2/pin/{NO_ID}/status", {"data": json.dumps({"x": "y" * 2000})}
    one, two = client("one"), client("two")
    failure(one.get(path), 404, "NOT_FOUND")
    failure(one.post("/2fa/2/pin", **large), 413, "PAYLOAD_TOO_LARGE")
    gateway.configure({"acme": smsc}, **http("two", "one"))
    code, out, err = run([BUILD / "pinbindctl", "-s", gateway.admin_path, "reload"])
    assert code == 1 and "one.key" in err
    failure(client("one").get(path), 404, "NOT_FOUND")
    failure(one.get(path), 404, "NOT_FOUND")
    gateway.configure({"acme": smsc}, **http("two", "two"))
    gateway.ctl("reload")
    failure(one.get(path), 404, "NOT_FOUND")  # a connection goes on with the certificate that it began with
    failure(two.post("/2fa/2/pin", **large), 400, "BAD_REQUEST", "applicationId")
    with pytest.raises(requests.exceptions.SSLError):
        client("one").get(path)


# --- what is seen of it


def test_requests_are_logged_by_route_without_what_they_carry(gateway, account, smsc):
    to = number()
    sent = send(account, to, "/2fa/2/pin/?ncNeeded=true")
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    response = verify(account, sent["pinId"], pin)
    request_id = response.headers["X-Request-Id"]
    gateway.wait_log(f"id={request_id} event=http_request")
    line, = [x for x in gateway.log().splitlines() if f"id={request_id} " in x]
    assert re.search(r"event=http_request verb=POST route=/pin/\{\}/verify status=200 us=\d+ account=demo$", line), line
    log = gateway.log()
    assert pin not in log and account.key not in log and "ncNeeded" not in log
    info = gateway.ctl("info")["api"]
    assert info["requests"] > 0 and info["connections"] >= 1


# --- clients that others wrote


def test_curl_sends_and_verifies(gateway, account, smsc):
    to = number()

    def curl(path, body):
        code, out, err = run(["curl", "-sS", "--noproxy", "*", "-H", f"Authorization: App {account.key}", "-H",
                              "Content-Type: application/json", "-d", json.dumps(body), gateway.url(path)])
        assert code == 0, err
        return json.loads(out)
    sent = curl("/2fa/2/pin?ncNeeded=false", {"applicationId": account.app, "messageId": account.plain, "to": to})
    assert sent == {"pinId": sent["pinId"], "to": to, "smsStatus": "MESSAGE_SENT"}
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    assert curl(f"/2fa/2/pin/{sent['pinId']}/verify", {"pin": other(pin)})["pinError"] == "WRONG_PIN"
    assert curl(f"/2fa/2/pin/{sent['pinId']}/verify", {"pin": pin})["verified"] is True


class Sdk:
    """npm's @infobip-api/sdk, a call a line."""

    def __init__(self, gateway, key, folder):
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.program = Program("infobip-sdk", ["node", ROOT / "tests/peers/infobip-sdk.mjs", gateway.url()], folder,
                               env={**env, "API_KEY": key}, stdin=subprocess.PIPE)
        self.calls = 0

    def __call__(self, call, *args):
        self.calls += 1
        self.program.popen.stdin.write(json.dumps({"call": call, "args": args}).encode() + b"\n")
        self.program.popen.stdin.flush()
        self.program.wait_text("\n", "out", count=self.calls)
        return json.loads(self.program.out().splitlines()[-1])


@pytest.fixture
def sdk(gateway, account, tmp_path):
    made = Sdk(gateway, account.key, tmp_path)
    yield made
    made.program.stop()


def test_npm_infobip_sdk_sends_resends_and_verifies(sdk, account, smsc):
    to = number()
    body = {"applicationId": account.app, "messageId": account.plain, "to": to}
    said = sdk("sendPINCodeSMS", body)
    assert said["status"] == 200 and said["data"]["smsStatus"] == "MESSAGE_SENT" and "ncStatus" in said["data"]
    pin_id = said["data"]["pinId"]
    assert "ncStatus" not in sdk("sendPINCodeSMS", body | {"to": number()}, False)["data"]
    again = sdk("resendPINCodeSMS", pin_id)
    assert again["status"] == 200 and again["data"]["pinId"] == pin_id
    first, second = smsc.wait_submits(to, 2)
    assert first["text"] == second["text"]
    pin = pin_in(first["text"])
    wrong = sdk("verifyPhoneNumber", pin_id, {"pin": other(pin)})
    assert wrong["status"] == 200 and wrong["data"]["verified"] is False and wrong["data"]["pinError"] == "WRONG_PIN"
    right = sdk("verifyPhoneNumber", pin_id, {"pin": pin})
    assert right["status"] == 200 and right["data"] == {
        "pinId": pin_id, "msisdn": to, "verified": True, "attemptsRemaining": 0}


def test_npm_infobip_sdk_sees_errors(sdk, account):
    body = {"applicationId": account.app, "messageId": account.plain, "to": "1"}
    said = sdk("sendPINCodeSMS", body)
    exception = said["data"]["requestError"]["serviceException"]
    assert said["status"] == 400 and exception["messageId"] == "BAD_REQUEST" and "to" in exception["validationErrors"]
    assert sdk("verifyPhoneNumber", NO_ID, {"pin": "1"})["status"] == 404
    assert sdk("sendPINCodeVoice", body)["status"] == 400


def test_npm_infobip_sdk_makes_and_changes_applications(sdk):
    made = sdk("createApplication", {"name": "by sdk", "configuration": {"pinAttempts": 3}})
    assert made["status"] in (200, 201), made
    app = made["data"]["applicationId"]
    assert sdk("getApplication", app)["data"] == made["data"]
    assert made["data"]["configuration"]["pinAttempts"] == 3 and made["data"]["enabled"] is True
    changed = sdk("updateApplication", app, {"name": "changed", "enabled": False})
    assert changed["status"] == 200 and changed["data"]["name"] == "changed"
    assert changed["data"]["configuration"] == made["data"]["configuration"]
    assert changed["data"] in sdk("getApplications")["data"]


def test_npm_infobip_sdk_makes_and_changes_templates(sdk, account):
    body = {"messageText": "Your code is {{pin}}", "pinType": "NUMERIC", "pinLength": 5, "language": "hr",
            "regional": {"indiaDlt": {"principalEntityId": "P1"}}, "senderId": "Me", "repeatDTMF": "1#", "speechRate": 1.5}
    made = sdk("createMessageTemplate", account.app, body)
    assert made["status"] == 200 and body.items() <= made["data"].items(), made
    message = made["data"]["messageId"]
    assert sdk("getMessageTemplate", account.app, message)["data"] == made["data"]
    changed = sdk("updateMessageTemplate", account.app, message, body | {"pinLength": 6})
    assert changed["status"] == 200 and changed["data"]["pinLength"] == 6
    assert changed["data"] in sdk("getMessageTemplates", account.app)["data"]


def test_npm_infobip_sdk_sees_verifications(sdk, account, smsc):
    to = number()
    sent = sdk("sendPINCodeSMS", {"applicationId": account.app, "messageId": account.plain, "to": to})["data"]
    said = sdk("getVerificationStatus", account.app, {"msisdn": to})
    row, = said["data"]["verifications"]
    assert row["msisdn"] == to and row["verified"] is False and row["sentAt"] > 1600000000000
    sdk("verifyPhoneNumber", sent["pinId"], {"pin": pin_in(smsc.wait_submits(to)[0]["text"])})
    row, = sdk("getVerificationStatus", account.app, {"msisdn": to, "verified": True})["data"]["verifications"]
    assert row["verified"] is True and row["verifiedAt"] >= row["sentAt"]
    assert sdk("getVerificationStatus", account.app, {"msisdn": to, "verified": False})["data"] == {"verifications": []}
