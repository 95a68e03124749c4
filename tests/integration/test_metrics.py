"""/metrics against what was really done, read by parsers that are not ours."""
import os
import re
import shutil
import subprocess
import time

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from procs import ROOT, wait_for
from world import free_port, number, pin_in


def scrape(gateway):
    """The page, and {(sample, labels): value} of it."""
    r = requests.get(gateway.url("/metrics", noc=True), timeout=10)
    assert r.status_code == 200 and r.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {}
    for family in text_string_to_metric_families(r.text):
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in samples, f"{key} stands twice"
            samples[key] = s.value
    return r.text, samples


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))), 0)


def changes(before, after):
    """What has changed, process and store aside, whose numbers depend on the machine."""
    return {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)
            and not k[0].startswith(("process_", "pinbind_store_", "pinbind_ledger_", "pinbind_bind_", "pinbind_http_a"))
            and not re.search(r"_bucket$|_sum$|rtt|_open$|connections$", k[0])}


def promtool(page):
    """What Prometheus itself says, where it is installed."""
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True, timeout=30)
        assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


@pytest.fixture
def running(world):
    smsc = world.node()
    gateway, account = world.start({"acme": smsc}, http={})
    return gateway, account, smsc


def post(gateway, account, path, body):
    return requests.post(gateway.url(f"/2fa/2{path}"), json=body, timeout=10,
                         headers={"Authorization": f"App {account.key}"})


def test_every_row_is_there_and_parsers_take_it(running):
    gateway, account, _ = running
    account.wait_attempt(account.send(number())["pinId"], "DELIVERED")
    page, samples = scrape(gateway)
    promtool(page)
    rows = re.findall(r"^(?:BIND|DOOR|VALUE|TABLE)\((\w+), (\w+),", (ROOT / "gateway/metrics.def").read_text(), re.M)
    assert len(rows) > 50
    assert re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M) == rows
    empty = {name for name, _ in rows} - {re.sub("_(bucket|sum|count)$", "", name) for name, _ in samples}
    # no request has ended before this one, and no bind has TLS or outbind
    assert empty == {"pinbind_http_requests_total", "pinbind_tls_cert_expiry_seconds",
                     "pinbind_outbinds_total", "pinbind_outbind_listening"}
    assert "pinbind_http_requests_total" in dict(scrape(gateway)[1].keys())


def test_a_pin_is_counted_on_its_whole_way(running):
    gateway, account, smsc = running
    _, before = scrape(gateway)
    to = number()
    sent = post(gateway, account, "/pin", {"applicationId": account.app, "messageId": account.message, "to": to,
                                           "placeholders": {"q": "."}}).json()
    pin = pin_in(smsc.submits(to)[0]["text"])
    account.wait_attempt(sent["pinId"], "DELIVERED")
    for typed in ("00000000", pin):
        assert post(gateway, account, f"/pin/{sent['pinId']}/verify", {"pin": typed}).status_code == 200
    post(gateway, account, f"/pin/{'0' * 32}/verify", {"pin": "1"})
    _, after = scrape(gateway)
    done = changes(before, after)
    bind = (("bind", "0"), ("carrier", "acme"))
    for key in [k for k in done if k[0].startswith("pinbind_verify_socket_")]:
        del done[key]  # how often wait_attempt() looked
    assert done == {
        ("pinbind_submits_total", bind): 1, ("pinbind_responses_total", bind): 1,
        ("pinbind_receipts_by_bind_total", bind): 1,
        ("pinbind_receipts_total", (("carrier", "acme"), ("err", "000"), ("stat", "DELIVRD"))): 1,
        ("pinbind_receipts_matched_total", ()): 1,
        ("pinbind_pins_total", (("event", "requested"),)): 1, ("pinbind_pins_total", (("event", "sent"),)): 1,
        ("pinbind_verify_total", (("result", "WRONG_PIN"),)): 1,
        ("pinbind_verify_total", (("result", "VERIFIED"),)): 1,
        ("pinbind_verify_total", (("result", "NOT_FOUND"),)): 1,
        ("pinbind_pin_flow_seconds_count", (("step", "send"),)): 1,
        ("pinbind_pin_flow_seconds_count", (("step", "verify"),)): 3,
        ("pinbind_http_requests_total", (("code", "200"), ("path", "/pin"))): 1,
        ("pinbind_http_requests_total", (("code", "200"), ("path", "/pin/{}/verify"))): 2,
        ("pinbind_http_requests_total", (("code", "404"), ("path", "/pin/{}/verify"))): 1,
        ("pinbind_http_requests_total", (("code", "200"), ("path", "/metrics"))): 1,
    }
    for step in ("send", "verify"):
        assert 0 < value(after, "pinbind_pin_flow_seconds_sum", step=step) < 20
        assert value(after, "pinbind_pin_flow_seconds_bucket", step=step, le="+Inf") == value(
            after, "pinbind_pin_flow_seconds_count", step=step)


def test_refusals_throttles_and_limits_are_counted(running):
    gateway, account, smsc = running
    # What a refused send gives back is not waited for, and the script for it is loaded at its first use.
    once, again = account.new_app({"sendPinPerPhoneNumberLimit": "1/1d"}), number()
    body = {"applicationId": once, "messageId": account.new_message(text="Your code is {{pin}}", app=once), "to": again}
    assert [post(gateway, account, "/pin", body).status_code for _ in range(2)] == [200, 429]
    _, before = scrape(gateway)
    account.send(number(), q="rinvdstadr")
    account.send(number(), q="rthrottled")
    tight = account.new_app({"sendPinPerPhoneNumberLimit": "1/1d", "sendPinPerApplicationLimit": "2/1d",
                             "verifyPinLimit": "1/1h"})
    body = {"applicationId": tight, "messageId": account.new_message(text="Your code is {{pin}}", app=tight)}
    to, other = number(), number()
    answers = [post(gateway, account, "/pin", {**body, "to": n}) for n in (to, to, other, number())]
    assert [a.status_code for a in answers] == [200, 429, 200, 429]
    for status in (200, 429, 429):
        assert post(gateway, account, f"/pin/{answers[0].json()['pinId']}/verify", {"pin": "1"}).status_code == status
    post(gateway, account, "/pin", {**body, "to": "none"})
    requests.get(gateway.url("/2fa/2/applications"), headers={"Authorization": "App pb_wrong"}, timeout=10)
    requests.get(gateway.url("/2fa/2/applications"), timeout=10)  # none is not a wrong one
    requests.get(gateway.url("/etc/passwd"), timeout=10)
    requests.put(gateway.url("/healthz"), timeout=10)
    _, after = scrape(gateway)
    done = changes(before, after)

    def count(name, **labels):
        return value(done, f"pinbind_{name}_total", **labels)
    bind = {"carrier": "acme", "bind": "0"}
    assert count("response_errors", **bind) == 1 and count("throttled", **bind) >= 1
    assert count("submits", **bind) == 3 + count("throttled", **bind) == count("responses", **bind)
    assert {e: count("pins", event=e) for e in ("requested", "sent", "not_sent", "refused")} == {
        "requested": 6, "sent": 2, "not_sent": 2, "refused": 2}  # a number that is none is no request
    assert count("limits_hit", limit="sendPinPerPhoneNumberLimit") == 1
    assert count("limits_hit", limit="sendPinPerApplicationLimit") == 1
    assert count("limits_hit", limit="verifyPinLimit") == 2 == count("verify", result="TOO_MANY_REQUESTS")
    assert count("http_requests", path="/pin", code="429") == 2 and count("http_requests", path="/pin", code="400") == 1
    assert count("http_requests", path="/applications", code="401") == 2 and count("auth_failures", door="http") == 1
    assert count("http_requests", path="other", code="404") == 1 and count("http_requests", path="other", code="405") == 1


def test_a_bind_that_goes_and_a_store_that_is_away_are_seen(world):
    smsc, server = world.node(), world.redis()
    gateway, _ = world.start({"acme": smsc}, http={}, **world.redis_store(server.port))
    bind = {"carrier": "acme", "bind": "0"}
    _, up = scrape(gateway)
    assert value(up, "pinbind_bind_state", **bind) == 4 and value(up, "pinbind_window_size", **bind) == 10
    assert abs(value(up, "pinbind_bind_since_seconds", **bind) - time.time()) < 60
    assert value(up, "pinbind_store_up") == 1 and 0 < value(up, "pinbind_store_rtt_seconds") < 5
    smsc.stop()
    server.stop()

    def is_seen():
        _, now = scrape(gateway)
        return (value(now, "pinbind_bind_state", **bind) < 4 and value(now, "pinbind_store_up") == 0
                and value(now, "pinbind_bind_since_seconds", **bind) > value(up, "pinbind_bind_since_seconds", **bind))
    wait_for(is_seen, "both are told to be away")


def test_a_metric_has_at_most_two_hundred_series_and_no_label_tells_a_secret(world):
    carriers = {f"carrier-{i}": {"port": free_port(), "binds": 16, "window": 5} for i in range(13)}
    gateway = world.gateway(carriers, http={}).start(bound=())
    account = gateway.ctl("account", "create", "demo")
    requests.get(gateway.url("/2fa/2/applications/" + "38591" * 6, ), headers={"Authorization": f"App {account['key']}"},
                 timeout=10)
    for path in ("/38591234567", "/2fa/2/pin/38591234567/x", "/2fa/2/" + "x/" * 20):
        requests.get(gateway.url(path), timeout=10)
    page, samples = scrape(gateway)
    promtool(page)
    sizes = [(k, v) for k, v in samples.items() if k[0] == "pinbind_window_size"]
    assert len(sizes) == 200 and sum(v for _, v in sizes) == 13 * 16 * 5
    assert value(samples, "pinbind_window_size", carrier="other", bind="other") == 9 * 5
    assert value(samples, "pinbind_bind_state", carrier="other", bind="other") < 4
    assert "38591" not in page and account["key"] not in page


def test_process_and_build(running):
    gateway, _, _ = running
    _, samples = scrape(gateway)
    assert 1e6 < value(samples, "process_resident_memory_bytes") < 1e9
    assert 0 < value(samples, "process_cpu_seconds_total") < 60
    assert abs(value(samples, "process_start_time_seconds") - time.time()) < 60
    assert value(samples, "process_open_fds") >= 8 and value(samples, "process_max_fds") >= 256
    assert [k[1][0][0] for k in samples if k[0] == "pinbind_build_info"] == ["version"]
    assert abs(value(samples, "process_open_fds") - len(os.listdir(f"/proc/{gateway.program.pid}/fd"))) < 5


def test_metrics_are_not_on_the_listener_of_the_api(running):
    gateway, _, _ = running
    assert requests.get(gateway.url("/metrics"), timeout=10).status_code == 404
    assert requests.head(gateway.url("/metrics", noc=True), timeout=10).status_code == 200
    assert requests.post(gateway.url("/metrics", noc=True), timeout=10).headers["Allow"] == "GET, HEAD"
