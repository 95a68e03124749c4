"""TLS to carriers: who is believed, what is said when not, and that all goes over it as without."""
from concurrent.futures import ThreadPoolExecutor
import re
import socket
import time
import urllib.request

import pytest

import wire
from pki import Authority, server
from procs import wait_for
from world import number, pin_in

NAMES = "IP:127.0.0.1,DNS:smsc.example.net"


@pytest.fixture
def ca(world):
    return Authority(world.folder)


def secured(smsc, ca, **keys):
    return {"port": smsc.port, "tls": True, "tls_ca_file": ca.cert, **keys}


def node(world, pair, name="smsc"):
    return world.node(name, "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))


def lines(gateway, event):
    return [x for x in gateway.log().splitlines() if f"event={event} " in x]


def wait_reason(gateway, reason):
    """Of a handshake that failed: a warning, and the reason of the bind."""
    wait_for(lambda: [x for x in lines(gateway, "tls_failed") if " warn " in x and reason in x],
             lambda: f"a warning with {reason}: {lines(gateway, 'tls_failed')}")
    wait_for(lambda: [x for x in lines(gateway, "bind_state") if reason in x],
             lambda: f"a bind_state with {reason}: {lines(gateway, 'bind_state')}")
    assert all(b["state"] != "BOUND" for b in gateway.binds())


def test_q66_a_message_goes_and_its_receipt_comes_over_tls(world, ca):
    smsc = node(world, ca.issue("smsc", NAMES))
    gateway, account = world.start({"acme": secured(smsc, ca)}, http={})
    to = number()
    sent = account.send(to)
    assert account.verify(sent["pinId"], pin_in(smsc.wait_submits(to)[0]["text"]))["verified"] == 1
    account.wait_attempt(sent["pinId"], "DELIVERED")
    bind = gateway.binds()[0]
    assert bind["tls"] == "TLSv1.3" and re.match(r"20\d\d-\d\d-\d\dT", bind["tls_expires"])
    page = urllib.request.urlopen(gateway.url("/metrics", noc=True)).read().decode()
    line = re.search(r'^pinbind_tls_cert_expiry_seconds\{carrier="acme",bind="0"\} (\S+)$', page, re.M)
    assert 99 * 86400 < float(line[1]) - time.time() < 101 * 86400
    assert " info " in lines(gateway, "tls_connected")[0]
    assert gateway.stop() == 0
    assert smsc.events("unbind")


def test_a_plain_carrier_has_no_word_of_tls(world):
    gateway, _ = world.start({"acme": world.node("smsc")}, http={})
    assert gateway.binds()[0]["tls"] is None and gateway.binds()[0]["tls_expires"] is None
    page = urllib.request.urlopen(gateway.url("/metrics", noc=True)).read().decode()
    assert "pinbind_tls_cert_expiry_seconds{" not in page


def test_q66_the_name_is_sent_and_verified_and_an_address_is_not_sent(world, ca):
    named = node(world, ca.issue("named", "DNS:*.example.net"), "named")
    bare = node(world, ca.issue("bare", "IP:127.0.0.1"), "bare")
    world.start({"named": secured(named, ca, tls_name="smsc.example.net")})
    assert named.events("connect")[0]["sni"] == "smsc.example.net"
    world.start({"bare": secured(bare, ca)}, name="gw2")
    assert not bare.events("connect")[0].get("sni")


@pytest.mark.parametrize("names, days, keys, reason", [
    ("DNS:smsc.example.net", 100, {}, "certificate verify failed: IP address mismatch"),
    ("IP:127.0.0.1", 100, {"tls_name": "smsc.example.net"}, "certificate verify failed: hostname mismatch"),
    (NAMES, -1, {}, "certificate verify failed: certificate has expired"),
    (NAMES, 100, {"tls_ca_file": ""}, "certificate verify failed: unable to get local issuer certificate"),
], ids=["address", "name", "expired", "unknown-ca"])
def test_q66_a_certificate_that_is_not_believed_gets_no_password(world, ca, names, days, keys, reason):
    smsc = world.scripted(tls=server(ca.issue("smsc", names, days)))
    gateway = world.gateway({"acme": secured(smsc, ca, **keys)}).start(bound=[])
    wait_reason(gateway, reason)
    assert not smsc.log
    wait_for(lambda: gateway.log().count("event=tls_failed") > 2, "another attempt")  # as after network trouble


def test_q66_a_client_certificate_is_shown_where_it_is_asked_for(world, ca):
    pair = ca.issue("smsc", NAMES)
    smsc = world.scripted(tls=server(pair, client_ca=ca.cert))
    cert, key = ca.issue("client", "DNS:client.example.net")
    gateway = world.gateway({"acme": secured(smsc, ca)}).start(bound=[])
    gateway.wait_log("certificate required")
    assert not smsc.log
    gateway.configure({"acme": secured(smsc, ca, tls_cert_file=cert, tls_key_file=key)})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    gateway.wait_bound("acme")


def test_a_server_that_speaks_plain_is_left(world, ca):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = world.gateway({"acme": {"port": listener.getsockname()[1], "tls": True, "tls_ca_file": ca.cert}})
        gateway.start(bound=[])
        connection, _ = listener.accept()
        connection.sendall(wire.pdu(wire.NACK, 3, 0))
        wait_reason(gateway, "TLS: wrong version number")
        connection.close()


def test_q66_a_server_that_is_silent_in_the_handshake_is_left_in_time(world, ca):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = world.gateway({"acme": {"port": listener.getsockname()[1], "tls": True, "tls_ca_file": ca.cert,
                                          "connect_timeout_ms": 300}}).start(bound=[])
        wait_reason(gateway, "timeout in the TLS handshake")


def test_q66_tls_1_1_is_too_old(world, ca):
    smsc = world.scripted(tls=server(ca.issue("smsc", NAMES), old=True))
    gateway = world.gateway({"acme": secured(smsc, ca)}).start(bound=[])
    wait_reason(gateway, "TLS: ")
    assert "protocol" in gateway.log() and not smsc.log


def test_a_certificate_that_ends_within_two_weeks_is_a_warning(world, ca):
    smsc = world.scripted(tls=server(ca.issue("smsc", NAMES, days=13)))
    gateway, _ = world.start({"acme": secured(smsc, ca)})
    assert " warn " in lines(gateway, "tls_connected")[0]


def test_the_silence_is_broken_by_enquire_link_over_tls_too(world, ca):
    smsc = world.scripted(tls=server(ca.issue("smsc", NAMES)))
    gateway, account = world.start({"acme": secured(smsc, ca, enquire_link_s=1)})
    smsc.wait_received(wire.ENQUIRE, 2)
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"
    assert gateway.stop() == 0
    assert smsc.received(wire.UNBIND)


def test_other_roots_bind_anew(world, ca):
    other = Authority(world.folder, "other")
    smsc = node(world, ca.issue("smsc", NAMES))
    gateway, _ = world.start({"acme": secured(smsc, ca)})
    binds = len(smsc.events("bind", st=0))
    both = world.folder / "both.pem"
    both.write_text(ca.cert.read_text() + other.cert.read_text())
    gateway.configure({"acme": secured(smsc, ca, tls_ca_file=both)})
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    wait_for(lambda: len(smsc.events("bind", st=0)) == binds + 1, "a new bind")
    gateway.wait_bound("acme")
    both.write_text(other.cert.read_text())  # another content under the same name
    assert gateway.ctl("reload")["rebound"] == ["acme"]
    wait_reason(gateway, "unable to get local issuer certificate")


def test_a_file_that_is_no_certificate_changes_nothing(world, ca):
    smsc = node(world, ca.issue("smsc", NAMES))
    gateway, account = world.start({"acme": secured(smsc, ca)})
    bad = world.folder / "bad.pem"
    bad.write_text("nothing\n")
    gateway.configure({"acme": secured(smsc, ca, tls_ca_file=bad)})
    gateway.ctl("reload", status=1)
    assert "bad.pem: no certificate in PEM form" in gateway.log()
    assert account.send(number())["smsStatus"] == "MESSAGE_SENT"
    assert len(smsc.events("bind")) == 1


def test_a_connection_cut_in_mid_submit_leaves_it_in_doubt(world, ca):
    smsc = world.scripted(lambda s, *_: s.connections[-1].shutdown(socket.SHUT_RDWR),
                          tls=server(ca.issue("smsc", NAMES)))
    gateway, account = world.start({"acme": secured(smsc, ca)})
    to = number()
    sent = account.send(to)
    assert sent["smsStatus"] == "MESSAGE_SENT"
    assert account.attempts(sent["pinId"])[-1]["state"] == "IN_DOUBT"
    gateway.wait_bound("acme")
    assert len(smsc.submits(to)) == 1


def test_many_messages_at_once_and_their_receipts(world, ca):
    smsc = node(world, ca.issue("smsc", NAMES))
    gateway, account = world.start({"acme": secured(smsc, ca, window=50, binds=2)})
    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(lambda _: account.send(number(), q="coalesce"), range(200)))
    assert {s["smsStatus"] for s in sent} == {"MESSAGE_SENT"}
    for s in sent:
        account.wait_attempt(s["pinId"], "DELIVERED")
    assert sum(b["submits"] for b in gateway.binds()) == 200
