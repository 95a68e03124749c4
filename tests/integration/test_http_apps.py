"""Applications, message templates and verifications over HTTP."""
import time

import pytest
import requests

from procs import wait_for
from world import Account, World, number, pin_in

DEFAULTS = {"pinAttempts": 10, "allowMultiplePinVerifications": True, "pinTimeToLive": "15m",
            "verifyPinLimit": "1/3s", "sendPinPerApplicationLimit": "10000/1d", "sendPinPerPhoneNumberLimit": "3/1d"}
ABSENT = "0" * 32


class Api:
    """One account's view of the API."""

    def __init__(self, gateway, account):
        self.gateway, self.account = gateway, account
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"App {account.key}"

    def call(self, verb, path, version=2, **kw):
        return self.session.request(verb, self.gateway.url(f"/2fa/{version}{path}"), timeout=20, **kw)

    def good(self, verb, path, version=2, status=200, **kw):
        r = self.call(verb, path, version, **kw)
        assert r.status_code == status, (r.status_code, r.text)
        assert r.headers["Content-Type"].startswith("application/json")
        return r.json()

    def bad(self, verb, path, status, version=2, **kw):
        r = self.call(verb, path, version, **kw)
        assert r.status_code == status, (r.status_code, r.text)
        assert list(r.json()) == ["requestError"] and list(r.json()["requestError"]) == ["serviceException"]
        return r.json()["requestError"]["serviceException"]

    def new_app(self, **body):
        return self.good("POST", "/applications", status=201, json={"name": "Shop", **body})

    def new_message(self, app, **body):
        return self.good("POST", f"/applications/{app}/messages",
                         json={"messageText": "Your code is {{pin}}", "pinType": "NUMERIC", **body})


class Running:
    def __init__(self):
        self.world = World()
        self.redis_server = self.world.redis()
        self.redis = self.redis_server.client()
        self.smsc = self.world.node("smsc")
        self.store = self.world.redis_store(self.redis_server.port)
        self.gateway, account = self.world.start({"acme": self.smsc}, http={}, **self.store)
        self.api = Api(self.gateway, account)
        self.accounts = 0

    def new_api(self):
        self.accounts += 1
        return Api(self.gateway, Account(self.gateway, f"account-{self.accounts}"))


@pytest.fixture(scope="module")
def running():
    r = Running()
    yield r
    r.world.close(False)


@pytest.fixture
def api(running):
    return running.api


# --- applications ---------------------------------------------------------------------------------


def test_an_application_is_made_with_its_defaults_and_given_back(api):
    made = api.new_app()
    assert made == {"applicationId": made["applicationId"], "name": "Shop", "enabled": True, "configuration": DEFAULTS}
    assert len(made["applicationId"]) == 32 and made["applicationId"] == made["applicationId"].upper()
    assert api.good("GET", f"/applications/{made['applicationId']}") == made


def test_strings_of_an_application_come_back_as_they_were_given(api):
    given = {"pinAttempts": 3, "allowMultiplePinVerifications": False, "pinTimeToLive": "h", "verifyPinLimit": "02/s",
             "sendPinPerApplicationLimit": "5000/12h", "sendPinPerPhoneNumberLimit": "10/20m"}
    made = api.new_app(name='Čudo "x" \\ </b>', enabled=False, configuration=given, unknown={"a": [1]})
    assert made["name"] == 'Čudo "x" \\ </b>' and made["enabled"] is False and made["configuration"] == given
    assert api.good("GET", f"/applications/{made['applicationId']}/", 1) == made


def test_a_change_merges_field_by_field_and_is_seen_at_once(api):
    app = api.new_app(configuration={"pinAttempts": 3, "pinTimeToLive": "5m"})["applicationId"]
    api.good("GET", f"/applications/{app}")  # now it is in the cache
    changed = api.good("PUT", f"/applications/{app}", json={"name": "Other", "configuration": {"pinTimeToLive": "6m"}})
    assert changed["name"] == "Other" and changed["enabled"] is True
    assert changed["configuration"] == {**DEFAULTS, "pinAttempts": 3, "pinTimeToLive": "6m"}
    assert api.good("GET", f"/applications/{app}") == changed
    assert api.bad("PUT", f"/applications/{app}", 400, json={"enabled": False})["validationErrors"] == {
        "name": ["name is needed"]}
    off = api.good("PUT", f"/applications/{app}", 1, json={"enabled": False})
    assert off == {**changed, "enabled": False}
    assert api.good("GET", f"/applications/{app}") == off


def test_a_change_begins_with_what_the_store_has(running, api):
    app = api.new_app()["applicationId"]
    message = api.new_message(app)["messageId"]
    api.good("GET", f"/applications/{app}")
    api.good("GET", f"/applications/{app}/messages/{message}")
    key = f"pb:{{{api.account.name}}}"
    running.redis.hset(f"{key}:app:{app}", "pinAttempts", 7)  # another gateway, whose notice was lost
    running.redis.hset(f"{key}:msg:{app}:{message}", "sender", "Other")
    assert api.good("PUT", f"/applications/{app}", json={"name": "x"})["configuration"]["pinAttempts"] == 7
    assert api.good("PUT", f"/applications/{app}/messages/{message}", json={"language": "de"})["senderId"] == "Other"


def test_a_disabled_application_sends_nothing(running, api):
    app = api.new_app()["applicationId"]
    message = api.new_message(app)["messageId"]
    body = {"applicationId": app, "messageId": message, "to": number()}
    assert api.good("POST", "/pin", json=body)["smsStatus"] == "MESSAGE_SENT"
    api.good("PUT", f"/applications/{app}", json={"name": "Shop", "enabled": False})
    before = len(running.smsc.events("submit"))
    assert api.bad("POST", "/pin", 403, json=body)["messageId"] == "FORBIDDEN"
    assert len(running.smsc.events("submit")) == before


WRONG_APPS = [
    ({"name": None}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"), ({"name": "x" * 129}, "name"),
    ({"name": "a\tb"}, "name"), ({"enabled": "true"}, "enabled"), ({"enabled": 1}, "enabled"),
    ({"configuration": []}, "configuration"), ({"configuration": "1/3s"}, "configuration"),
    *(({"configuration": {field: value}}, f"configuration.{field}") for field, values in {
        "pinAttempts": [0, -1, 1001, 2 ** 40, "10", 10.5, True],
        "allowMultiplePinVerifications": [0, "false"],
        "pinTimeToLive": ["", "15", "15 m", "2w", "366d", "0m", 900000, "1" * 20 + "m"],
        "verifyPinLimit": ["", "3s", "0/3s", "1/0s", "1/25h", "-1/3s", 1, "1/3s "],
        "sendPinPerApplicationLimit": ["1/366d", "4294967296/1d", {}],
        "sendPinPerPhoneNumberLimit": ["3/1w", ["3/1d"]],
    }.items() for value in values),
]


@pytest.mark.parametrize("body, field", WRONG_APPS)
def test_a_wrong_value_of_an_application_is_named(api, body, field):
    for verb, path in (("POST", "/applications"), ("PUT", f"/applications/{api.account.app}")):
        error = api.bad(verb, path, 400, json={"name": "Shop", **body})
        assert set(error) == {"messageId", "text", "validationErrors"}
        assert error["messageId"] == "BAD_REQUEST" and list(error["validationErrors"]) == [field]
        assert error["validationErrors"][field] == [error["text"]] and len(error["text"]) > 5
    assert api.good("GET", f"/applications/{api.account.app}")["name"] == "test"


# --- message templates ------------------------------------------------------------------------------


def test_a_template_is_made_with_its_defaults_and_given_back(api):
    app = api.account.app
    made = api.new_message(app)
    assert made == {"messageId": made["messageId"], "applicationId": app, "messageText": "Your code is {{pin}}",
                    "pinType": "NUMERIC", "pinLength": 6, "language": "en", "pinPlaceholder": "{{pin}}"}
    assert api.good("GET", f"/applications/{app}/messages/{made['messageId']}") == made


def test_everything_of_a_template_comes_back_and_a_change_merges(api):
    app = api.account.app
    dlt = {"principalEntityId": "1" * 30, "contentTemplateId": "2", "teleMarketerId": "3" * 255}
    given = {"messageText": "Šifra {{pin}}\r\nza {{who}} \U0001f600", "pinType": "ALPHANUMERIC", "pinLength": 32,
             "senderId": "InfoSMS", "language": "pt_br", "maxSegments": 3, "repeatDTMF": "1#", "speechRate": 0.5, "voiceName": "Joanna",
             "regional": {"indiaDlt": dlt}}
    made = api.new_message(app, **given)
    message = made.pop("messageId")
    assert made == {**given, "applicationId": app, "pinPlaceholder": "{{pin}}"}
    api.good("GET", f"/applications/{app}/messages/{message}")
    changed = api.good("PUT", f"/applications/{app}/messages/{message}", json={
        "speechRate": 2, "senderId": "", "regional": {"indiaDlt": {"contentTemplateId": "9"}}, "pinPlaceholder": "<x>"})
    made["speechRate"] = 2
    made["regional"]["indiaDlt"]["contentTemplateId"] = "9"
    del made["senderId"]
    assert changed == {**made, "messageId": message}
    assert api.good("GET", f"/applications/{app}/messages/{message}") == changed
    assert changed in api.good("GET", f"/applications/{app}/messages")


def test_version_1_calls_the_sender_by_its_old_name(api):
    app = api.account.app
    body = {"messageText": "{{pin}}", "pinType": "HEX", "pinPlaceholder": "{{pin}}", "sender": "Shop"}
    made = api.good("POST", f"/applications/{app}/messages", 1, json=body)
    assert made["senderId"] == "Shop" and "sender" not in made
    assert "senderId" not in api.good("POST", f"/applications/{app}/messages", 2, json=body)


def test_what_is_sent_follows_the_template(running, api):
    made = api.new_message(api.account.app, pinType="HEX", pinLength=12, senderId="4477")
    api.good("PUT", f"/applications/{api.account.app}/messages/{made['messageId']}", json={
        "messageText": "Your code is {{pin}} indeed"})
    to = number()
    api.good("POST", "/pin", json={"applicationId": api.account.app, "messageId": made["messageId"], "to": to})
    sms = next(s for s in running.smsc.events("submit") if to in str(s))
    assert sms["text"].endswith(" indeed") and len(pin_in(sms["text"])) == 12 and "4477" in str(sms)


WRONG_MESSAGES = [
    ({"messageText": None}, "messageText"), ({"messageText": "no"}, "messageText"), ({"messageText": 5}, "messageText"),
    ({"messageText": "{{pin}} {{pin}}"}, "messageText"), ({"messageText": "{{pin}} {{ x }}"}, "messageText"),
    ({"messageText": "{{pin}}" + "x" * 1600}, "messageText"), ({"messageText": "{{pin}}\x07"}, "messageText"),
    ({"pinType": None}, "pinType"), ({"pinType": "numeric"}, "pinType"), ({"pinType": 1}, "pinType"),
    *(({"pinLength": v}, "pinLength") for v in (3, 33, 0, -6, "6", 6.5, 2 ** 33 + 6)),
    *(({"senderId": v}, "senderId") for v in ("twelve chars", "1" * 16, "Čudo", 5)),
    *(({"language": v}, "language") for v in ("EN", "", "xx", 1)),
    *(({"maxSegments": v}, "maxSegments") for v in (0, 11, -1, "2", 1.5, 2 ** 32 + 1)),
    ({"repeatDTMF": "1" * 16}, "repeatDTMF"), ({"voiceName": ["x"]}, "voiceName"),
    *(({"speechRate": v}, "speechRate") for v in (0.49, 2.01, "1", True)),
    ({"regional": []}, "regional"), ({"regional": {"indiaDlt": 1}}, "regional.indiaDlt"),
    ({"regional": {"indiaDlt": {}}}, "regional.indiaDlt.principalEntityId"),
    ({"regional": {"indiaDlt": {"principalEntityId": "1" * 31}}}, "regional.indiaDlt.principalEntityId"),
    ({"regional": {"indiaDlt": {"principalEntityId": "1", "teleMarketerId": "1" * 256}}},
     "regional.indiaDlt.teleMarketerId"),
]


@pytest.mark.parametrize("body, field", WRONG_MESSAGES)
def test_a_wrong_value_of_a_template_is_named(api, body, field):
    path = f"/applications/{api.account.app}/messages"
    error = api.bad("POST", path, 400, json={"messageText": "{{pin}}", "pinType": "HEX", **body})
    assert list(error["validationErrors"]) == [field] and len(error["text"]) > 5
    if None not in body.values():  # null is as not given
        assert list(api.bad("PUT", f"{path}/{api.account.message}", 400, json=body)["validationErrors"]) == [field]


def test_a_body_that_is_no_object_is_refused(api):
    for path in ("/applications", f"/applications/{api.account.app}/messages"):
        for data in ("", "[]", '"x"', "{", '{"name": "\\u0000"}', '{"name": "a", "name": "b"}'):
            api.bad("POST", path, 400, data=data, headers={"Content-Type": "application/json"})


# --- what is not there ------------------------------------------------------------------------------


def test_what_is_not_there_or_another_accounts_is_not_found_alike(running, api):
    other = running.new_api()
    theirs, message = other.account.app, other.account.message
    app = {"name": "x"}
    new = {"messageText": "{{pin}}", "pinType": "HEX"}
    for make in (lambda a, m: ("GET", f"/applications/{a}", None), lambda a, m: ("PUT", f"/applications/{a}", app),
                 lambda a, m: ("GET", f"/applications/{a}/messages", None),
                 lambda a, m: ("POST", f"/applications/{a}/messages", new),
                 lambda a, m: ("GET", f"/applications/{a}/messages/{m}", None),
                 lambda a, m: ("PUT", f"/applications/{a}/messages/{m}", new),
                 lambda a, m: ("GET", f"/applications/{a}/verifications?msisdn=38591000000", None)):
        answers = []
        for a, m in ((ABSENT, ABSENT), (theirs, message), ("x", "y"), ("%2F" * 100, "a" * 200)):
            verb, path, body = make(a, m)
            answers.append(api.bad(verb, path, 404, json=body))
        assert all(a == answers[0] for a in answers) and answers[0]["messageId"] == "NOT_FOUND"
    api.bad("GET", f"/applications/{api.account.app}/messages/{message}", 404)
    assert other.good("GET", f"/applications/{theirs}")["name"] == "test"


# --- lists ------------------------------------------------------------------------------------------


def test_lists_are_bare_arrays_oldest_first(running):
    api = running.new_api()
    ids = [api.account.app] + [api.new_app(name=f"app {i}")["applicationId"] for i in range(80)]
    for version in (1, 2):
        listed = api.good("GET", "/applications", version)
        assert [a["name"] for a in listed] == ["test"] + [f"app {i}" for i in range(80)]
        assert [a["applicationId"] for a in listed] == ids
    assert api.call("HEAD", "/applications").headers["Content-Length"] == str(
        len(api.call("GET", "/applications").content))
    assert api.good("GET", f"/applications/{ids[5]}/messages") == []
    made = [api.new_message(ids[5], messageText="%d {{pin}}" % i) for i in range(3)]
    assert api.good("GET", f"/applications/{ids[5]}/messages") == made


def test_what_vanished_is_left_out_of_a_list(running):
    api = running.new_api()
    ids = [api.account.app] + [api.new_app()["applicationId"] for _ in range(70)]
    for gone in (ids[0], ids[33], ids[70]):
        running.redis.delete(f"pb:{{{api.account.name}}}:app:{gone}")
        running.redis.publish("pb:registry", f"pb:{{{api.account.name}}}:app:{gone}")
    left = [i for n, i in enumerate(ids) if n not in (0, 33, 70)]
    wait_for(lambda: [a["applicationId"] for a in api.good("GET", "/applications")] == left, "the list without three")


COPY = """local from = redis.call('HGETALL', KEYS[1])
for i = 1, 9999 do
    local id = string.format('%032X', i)
    redis.call('HSET', ARGV[1] .. ':app:' .. id, unpack(from))
    redis.call('ZADD', ARGV[1] .. ':apps', 1e14 + i, id)
end"""


def test_ten_thousand_are_listed_and_one_more_is_refused(running):
    api = running.new_api()
    prefix = f"pb:{{{api.account.name}}}"
    running.redis.eval(COPY, 1, f"{prefix}:app:{api.account.app}", prefix)
    for _ in range(2):
        begin = time.monotonic()
        listed = api.good("GET", "/applications")
        print(f"10000 applications in {time.monotonic() - begin:.3f} s")
        assert [int(a["applicationId"], 16) for a in listed[1:]] == list(range(1, 10000))
    error = api.bad("POST", "/applications", 400, json={"name": "one more"})
    assert error["messageId"] == "BAD_REQUEST" and "10000" in error["text"]


def test_lists_and_changes_are_unavailable_while_the_store_is_away(world):
    server = world.redis()
    gateway, account = world.start({"acme": world.node()}, http={}, **world.redis_store(server.port))
    api = Api(gateway, account)
    api.good("GET", f"/applications/{account.app}")  # key and application are in the cache
    server.stop()
    gateway.wait_log("event=store_away")
    for verb, path, body in (("GET", "/applications", None), ("POST", "/applications", {"name": "x"}),
                             ("GET", f"/applications/{account.app}/messages", None),
                             ("PUT", f"/applications/{account.app}", {"name": "x"}),
                             ("PUT", f"/applications/{account.app}/messages/{account.message}", {}),
                             ("GET", f"/applications/{account.app}/verifications?msisdn=38591000000", None)):
        r = api.call(verb, path, json=body)
        assert r.status_code == 503 and r.headers["Retry-After"] == "1", (verb, path, r.status_code, r.text)
    server.start()
    wait_for(lambda: api.call("GET", "/applications").status_code == 200, "the store is back")


# --- verifications ----------------------------------------------------------------------------------


def test_verifications_of_a_number(running, api):
    app, to = api.account.app, number()
    path = f"/applications/{app}/verifications"
    assert api.good("GET", path, params={"msisdn": to}) == {"verifications": []}
    assert api.good("GET", path, 1, params={"msisdn": to}) == []
    begin = int(time.time() * 1000)
    first = api.account.send(to)
    assert api.account.verify(first["pinId"], pin_in(running.smsc.events("submit")[-1]["text"]))["verified"]
    api.account.send(to)
    new, old = api.good("GET", path, params={"msisdn": "+" + to})["verifications"]
    assert set(new) == {"msisdn", "verified", "sentAt"} and new["verified"] is False and new["msisdn"] == to
    assert set(old) == {"msisdn", "verified", "sentAt", "verifiedAt"} and old["verified"] is True
    assert begin - 1000 <= old["sentAt"] <= old["verifiedAt"] <= new["sentAt"] <= int(time.time() * 1000) + 1000
    assert api.good("GET", path + "/", 1, params={"msisdn": to}) == [new, old]
    for filters, expected in (({"verified": "True"}, [old]), ({"verified": "0"}, [new]), ({"sent": "1"}, [new, old]),
                              ({"sent": "false"}, []), ({"verified": "undefined"}, [new, old]),
                              ({"verified": "false", "sent": "true"}, [new])):
        assert api.good("GET", path, params={"msisdn": to, **filters})["verifications"] == expected, filters
    other = api.new_app()["applicationId"]
    assert api.good("GET", f"/applications/{other}/verifications", params={"msisdn": to}) == {"verifications": []}


def test_a_pin_that_was_refused_was_not_sent(api):
    to = number()
    assert api.account.send(to, q="rinvdstadr")["smsStatus"] == "MESSAGE_NOT_SENT"
    path = f"/applications/{api.account.app}/verifications"
    only = [{"msisdn": to, "verified": False}]
    for filters, expected in (({}, only), ({"sent": "true"}, []), ({"sent": "false"}, only)):
        assert api.good("GET", path, params={"msisdn": to, **filters}) == {"verifications": expected}


@pytest.mark.parametrize("query", ["", "?msisdn=", "?msisdn=abc", "?msisdn=me%40example.org", "?msisdn=" + "1" * 40])
def test_verifications_need_a_number_in_both_versions(api, query):
    for version in (1, 2):
        error = api.bad("GET", f"/applications/{api.account.app}/verifications{query}", 400, version)
        assert list(error["validationErrors"]) == ["msisdn"]
