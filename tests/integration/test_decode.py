"""pinbindctl decode: every PDU and receipt of tests/data, before tshark and before a gateway that runs."""
import json
import os
import re
import subprocess
import time
from datetime import datetime, timezone

import pytest

import wire
from procs import BUILD, ROOT, SLOW, wait_for
from world import SANITIZERS

CTL = BUILD / "pinbindctl"
VECTORS = [json.loads(line) for line in (ROOT / "tests/data/smpp-vectors.jsonl").read_text().splitlines()]
RECEIPTS = [json.loads(line) for line in (ROOT / "tests/data/dlr-texts.jsonl").read_text().splitlines()]
WHOLE = [v for v in VECTORS if v["expect"]["consumed"]]


def ctl(*words, octets=b""):
    """(exit status, stdout, stderr); words and octets as they are."""
    done = subprocess.run([CTL, *words], input=octets, capture_output=True, timeout=60 * SLOW,
                          env={**os.environ, **SANITIZERS})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def decode(kind, items, *options, status=0):
    """One object each, in order, of what goes in as lines."""
    code, out, err = ctl("decode", kind, "-", *options, octets=b"".join(i + b"\n" for i in items))
    assert (code, err) == (status, ""), err
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == len(items)
    return answers


@pytest.fixture(scope="module")
def decoded():
    """[(vector, what is made of it)]"""
    return list(zip(VECTORS, decode("pdu", [v["hex"].encode() for v in VECTORS])))


# --- what the vectors expect


def flat(answer):
    """The header and the body as the vectors write them: numbers, and octets of messages as hex."""
    found = dict(answer["header"], **answer.get("body", {}))
    found.pop("status", None)
    found.pop("status_text", None)
    for key in ("command_id", "command_status"):
        if key in found:
            found[key] = int(found[key], 16)
    if "short_message" in found:
        message = found.pop("short_message")
        assert message["length"] == len(message["hex"]) // 2
        found["short_message_hex"] = message["hex"]
    if "unsuccess_sme" in found:
        found["unsuccess_sme"] = [{**a, "error_status": int(a["error_status"], 16)} for a in found["unsuccess_sme"]]
        for address in found["unsuccess_sme"]:
            assert address.pop("error").startswith("ESME_R")
    return found


def expected(pdu):
    wanted = {k: v for k, v in pdu.items() if k not in ("tlvs", "body_hex")}
    if "password" in wanted:
        wanted["password"] = "***"
    return wanted


def test_every_vector_has_its_verdict_and_its_fields(decoded):
    assert len(decoded) == 138
    for vector, answer in decoded:
        expect, what = vector["expect"], f"{vector['source']}: {answer}"
        assert answer["verdict"] == expect["verdict"], what
        assert answer["octets"] == len(vector["hex"]) // 2 and answer["consumed"] == expect["consumed"], what
        assert (answer["reason"] is None) == (expect["verdict"] == "ok"), what
        if "need" in expect:
            assert answer["need"] == expect["need"], what
        if "pdu" in expect:
            assert flat(answer) == expected(expect["pdu"]), what
            assert answer.get("body_hex", "") == expect["pdu"].get("body_hex", ""), what


def test_every_vector_has_its_tlvs(decoded):
    seen = 0
    for vector, answer in decoded:
        wanted = vector["expect"].get("pdu", {}).get("tlvs", [])
        assert len(answer.get("tlvs", [])) == len(wanted), vector["source"]
        for tlv, want in zip(answer.get("tlvs", []), wanted):
            seen += 1
            assert (tlv["tag"], tlv["hex"]) == (f"0x{want['tag']:04x}", want["hex"]), vector["source"]
            assert tlv["length"] == len(want["hex"]) // 2
            assert want["name"] in (None, tlv["name"])
            if "number" in tlv:
                assert tlv["number"] == int(tlv["hex"], 16)
            if "text" in tlv:
                assert tlv["text"] == bytes.fromhex(tlv["hex"]).split(b"\0")[0].decode("latin1")
    assert seen > 40


def test_no_password_comes_out(decoded):
    seen = set()
    for vector, answer in decoded:
        pdu = vector["expect"].get("pdu", {})
        if "password" in pdu:
            assert answer["body"]["password"] == "***"
        if pdu.get("password") and pdu["password"] != pdu["system_id"]:
            seen.add(pdu["password"])
            text = json.dumps([list(answer["body"].values()), answer["tlvs"]])
            assert pdu["password"] not in text and pdu["password"].encode().hex() not in text, vector["source"]
    assert len(seen) >= 3


# --- what a gateway that runs does


def renumbered(vector, sequence):
    whole = bytes.fromhex(vector["hex"])[:vector["expect"]["consumed"]]
    return whole[:12] + sequence.to_bytes(4, "big") + whole[16:]


def answer_of(said):
    """(command, status, sequence) that the tool promises, or None."""
    a = said["answer"]
    return a and (int(a["command_id"], 16), int(a["command_status"], 16), a["sequence_number"])


def test_the_gateway_answers_every_vector_as_it_is_told(world):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": {"port": smsc.port}})
    unbinds = 0x00000006
    sent = [renumbered(v, 1000 + i) for i, v in enumerate(WHOLE)]
    sent = [p for p in sent if wire.header(p)[0] != unbinds]
    promised = {wire.header(p)[2]: answer_of(a) for p, a in zip(sent, decode("pdu", [p.hex().encode() for p in sent]))}

    def answers():
        """By the sequence number that they echo."""
        found = {}
        for command, status, sequence, _ in list(smsc.log):
            if command & 0x80000000:
                found.setdefault(sequence, []).append((command, status, sequence))
        return found
    smsc.say(*sent)
    wanted = {s: [a] for s, a in promised.items() if a}
    assert len(wanted) > 50 and len(wanted) < len(promised)
    wait_for(lambda: wanted.keys() <= answers().keys(),
             lambda: f"answers to {wanted.keys() - answers().keys()}")
    smsc.say(wire.pdu(wire.ENQUIRE, 0, 9999))  # behind it there is nothing more to come
    wait_for(lambda: 9999 in answers(), "enquire_link_resp")
    assert {s: a for s, a in answers().items() if s in promised} == wanted
    assert len(smsc.connections) == 1, "the bind went down"

    [said] = decode("pdu", [wire.pdu(wire.UNBIND, 0, 5000).hex().encode()])
    smsc.say(wire.pdu(wire.UNBIND, 0, 5000))
    wait_for(lambda: [answer_of(said)] == answers().get(5000), "unbind_resp")
    assert said["action"] == "answers and ends the bind"


def test_the_gateway_closes_where_framing_is_lost_as_it_is_told(world, decoded):
    smsc = world.scripted()
    gateway, _ = world.start({"acme": {"port": smsc.port}})
    lost = [(v, a) for v, a in decoded if v["expect"]["verdict"] == "reject"]
    assert len(lost) == 7
    for n, (vector, answer) in enumerate(lost, 1):
        assert answer["action"] == "answers and closes the connection"
        smsc.say(bytes.fromhex(vector["hex"]))
        nacks = smsc.wait_received(wire.NACK, n)
        assert nacks[-1][:3] == answer_of(answer)
        wait_for(lambda: len(smsc.connections) == n + 1, "a new connection")
        gateway.wait_bound("acme")


# --- a decoder that is not ours

PORT = 2775
STRINGS = ["system_id", "system_type", "address_range", "service_type", "source_addr", "destination_addr", "message_id",
           "esme_addr", "receipted_message_id", "dl_name"]
HEADER = ["command_length", "command_id", "command_status", "sequence_number"]
NUMBERS = [*HEADER, "interface_version", "addr_ton", "addr_npi", "source_addr_ton", "source_addr_npi", "dest_addr_ton",
           "dest_addr_npi", "protocol_id", "priority_flag", "replace_if_present_flag", "data_coding",
           "sm_default_msg_id", "sm_length", "error_code", "esme_addr_ton", "esme_addr_npi", "message_state",
           "opt_param_tag", "opt_param_len", "user_message_reference", "sar_msg_ref_num", "sar_total_segments",
           "sar_segment_seqnum", "source_port", "destination_port", "more_messages_to_send", "payload_type",
           "delivery_failure_reason", "source_network_type", "dest_network_type", "congestion_state",
           "error_status_code"]
PARTS = ["esm.submit.msg_mode", "esm.submit.msg_type", "esm.submit.features", "regdel.receipt", "regdel.acks",
         "regdel.notif", "message", "message_payload"]
LISTED = {"addr": "destination_addr", "ton": "dest_addr_ton", "npi": "dest_addr_npi", "dl_name": "dl_name",
          "error_status": "error_status_code"}  # of an address in a list: a field of its own


def tshark(pdus, path):
    """[{field: [values]}]: each PDU as one TCP segment of a made-up connection."""
    dump = "".join("000000 " + pdu.hex(" ") + "\n\n" for pdu in pdus)
    subprocess.run(["text2pcap", "-q", "-T", f"40000,{PORT}", "-", path], input=dump, text=True, check=True,
                   capture_output=True)
    names = [f"smpp.{n}" for n in STRINGS + NUMBERS + PARTS]
    out = subprocess.run(
        ["tshark", "-r", path, "-d", f"tcp.port=={PORT},smpp", "-o", "tcp.desegment_tcp_streams:FALSE",
         "-o", "tcp.analyze_sequence_numbers:FALSE", "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|",
         *(w for n in names for w in ("-e", n))],
        capture_output=True, text=True, check=True).stdout
    rows = [[cell.split("|") if cell else [] for cell in line.split("\t")] for line in out.splitlines()]
    return [dict(zip([n[5:] for n in names], row)) for row in rows]


def ours(answer):
    """{field: [values]} as tshark writes them; a TLV may have the name of a field."""
    found = {k: [v] for k, v in flat(answer).items()}
    for address in found.get("dest_address", [[]])[0] + found.get("unsuccess_sme", [[]])[0]:
        for key, name in LISTED.items():
            if key in address:
                found.setdefault(name, []).append(address[key])
    if not found["command_id"][0] & 0x80000000:
        del found["command_status"]  # reserved in a request: tshark does not look
    for tlv in answer["tlvs"]:
        found.setdefault("opt_param_tag", []).append(int(tlv["tag"], 16))
        found.setdefault("opt_param_len", []).append(tlv["length"])
        if tlv["name"]:
            found.setdefault(tlv["name"], []).append(tlv.get("number", tlv.get("text", tlv["hex"])))
    esm, registered = found.get("esm_class"), found.get("registered_delivery")
    if esm:
        found["esm.submit.msg_mode"] = [esm[0] & 3]
        found["esm.submit.msg_type"] = [esm[0] >> 2 & 15]
        found["esm.submit.features"] = [esm[0] >> 6]
    if registered:
        found["regdel.receipt"] = [registered[0] & 3]
        found["regdel.acks"] = [registered[0] >> 2 & 3]
        found["regdel.notif"] = [registered[0] >> 4 & 1]
    found["message"] = [m for m in found.get("short_message_hex", []) if m]
    return found


def test_tshark_reads_the_same_out_of_every_good_vector(decoded, tmp_path):
    good = [(v, a) for v, a in decoded if a["verdict"] == "ok"]
    rows = tshark([bytes.fromhex(v["hex"])[:v["expect"]["consumed"]] for v, _ in good], tmp_path / "vectors.pcap")
    assert len(rows) == len(good) > 100
    compared = 0
    for (vector, answer), row in zip(good, rows):
        mine = ours(answer)
        if mine.get("command_status", [0]) != [0]:  # tshark leaves out the body of an error response
            row = {name: row[name] for name in HEADER}
        for name, theirs in row.items():
            wanted = [w for w in mine.get(name, []) if w != ""]  # which tshark does not tell from none
            if name in NUMBERS or "." in name:
                theirs = [int(t, 0) for t in theirs]
            theirs = [] if theirs == ["(Default)"] else theirs
            assert theirs == wanted, f"{name}: {vector['source']}: {vector['hex']}"
            compared += len(wanted)
    assert compared > 1300


# --- receipts


def ms(iso):
    """Of two readings of twelve digits the one nearest to now."""
    if isinstance(iso, list):
        return min(map(ms, iso), key=lambda at: abs(at - time.time() * 1000))
    return iso and int(datetime.fromisoformat(iso).replace(tzinfo=timezone.utc).timestamp() * 1000)


def check_receipt(answer, row, expect):
    what = f"{row['source']}: {answer}"
    if expect.get("verdict") == "not_a_receipt":
        assert answer["verdict"] == "not_a_receipt" and answer["reason"], what
        return
    for key in ("id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err"):
        assert key not in expect or answer[key] == expect[key], what
    # one source ends the text before a field that follows it
    if "text" in expect and "not asserted" not in row.get("note", ""):
        assert answer["text"] == expect["text"], what
    assert answer["text_length"] == (None if answer["text"] is None else len(answer["text"])), what
    assert (answer["submit_ms"], answer["done_ms"]) == (ms(expect.get("submit_iso")), ms(expect.get("done_iso"))), what
    assert (answer["state"], answer["final"]) == (expect["state"], expect["final"]), what
    assert answer["state_known"] == ("stat_unmapped" not in expect), what
    assert (answer["state_name"] is None) == (answer["state"] is None), what


def test_every_receipt_is_read_as_it_should_be():
    lines = [r for r in RECEIPTS if r["text"] and "\n" not in r["text"]]
    assert len(RECEIPTS) == 80 and len(lines) == 77
    answers = decode("receipt", [r["text"].encode("latin1") for r in lines], "--text")
    for row, answer in zip(lines, answers):
        check_receipt(answer, row, row["expect"])
    for row in RECEIPTS:
        if row["text"] and "\0" not in row["text"]:  # no argument can hold a NUL
            code, out, err = ctl("decode", "receipt", row["text"].encode("latin1"), "--text")
            assert (code, err) == (0, "")
            check_receipt(json.loads(out), row, row["expect"])


def test_every_receipt_is_read_with_its_tlvs_out_of_a_pdu():
    rows = [r for r in RECEIPTS if "expect_with_tlvs" in r]
    assert len(rows) == 13
    pdus = []
    for row in rows:
        tail = b""
        for name, tag in (("receipted_message_id", 0x1E), ("message_state", 0x427), ("network_error_code", 0x423)):
            if name in row["tlvs"]:
                value = row["tlvs"][name]
                value = (value.encode() + b"\0" if tag == 0x1E else bytes([value]) if tag == 0x427 else
                         bytes.fromhex(value))
                tail += tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
        pdus.append(wire.deliver(1, "38591", "1971", row["text"].encode("latin1"), tail=tail).hex().encode())
    for row, answer in zip(rows, decode("pdu", pdus, "--text")):
        check_receipt(answer["receipt"], row, row["expect_with_tlvs"])


def test_q16_a_tlv_that_contradicts_the_text_is_told():
    tails = {None: b"", "state": b"\4\x27\0\1\5", "id": b"\0\x1e\0\2" b"8\0"}
    pdus = [wire.deliver(1, "38591", "1971", b"id:7 stat:DELIVRD", tail=t).hex().encode() for t in tails.values()]
    receipts = [answer["receipt"] for answer in decode("pdu", pdus)]
    assert [r["conflict"] for r in receipts] == list(tails)
    assert [(r["id"], r["state"], r["stat"]) for r in receipts] == [
        ("7", 2, "DELIVRD"), ("7", 5, "DELIVRD"), ("8", 2, "DELIVRD")]


def test_the_text_comes_only_where_it_is_asked_for():
    text = b"id:1 stat:DELIVRD text:Your code is 90817"
    pdu = wire.deliver(1, "38591", "1971", text).hex()
    payload = wire.deliver(2, "38591", "1971", b"", esm_class=0, tail=b"\4\x24\0\x05" + b"90817").hex()
    for words in (["receipt", text], ["pdu", pdu], ["pdu", payload]):
        without, asked = ctl("decode", *words), ctl("decode", *words, "--text")
        assert without[0] == asked[0] == 0
        assert "90817" not in without[1] and "90817" in asked[1]
    assert json.loads(ctl("decode", "receipt", text)[1])["text_length"] == 18


def test_dates_follow_the_time_zone_and_texts_the_alphabet():
    utc, = decode("receipt", [b"id:1 done date:2607190900"])
    east, = decode("receipt", [b"id:1 done date:2607190900"], "--time-zone", "+01:30")
    assert utc["done_ms"] == ms("2026-07-19T09:00:00") and east["done_ms"] == utc["done_ms"] - 5400000
    message = wire.deliver(1, "1", "2", b"\0\xe9", esm_class=0).hex().encode()
    texts = [decode("pdu", [message], "--text", "--alphabet", a)[0]["body"]["short_message"]["text"]
             for a in ("gsm", "latin1", "ascii")]
    assert texts == ["@\ufffd", "\ufffd\u00e9", "\ufffd\ufffd"]


# --- how it is asked

@pytest.mark.parametrize("hexes", [
    "00000010000000150000000000000001", "0000 0010 0000 0015 0000 0000 0000 0001",
    "00:00:00:10:00:00:00:15:00:00:00:00:00:00:00:01", "0x00000010000000150000000000000001",
    "0x00 0X00 0x00 0x10 0x00 0x00 0x00 0x15 00000000 0x00:0x00:0x00:0x01",
    "  \t00000010 00000015 00000000 00000001\r\n",
])
def test_hex_may_be_written_as_people_do(hexes):
    code, out, err = ctl("decode", "pdu", hexes)
    answer = json.loads(out)
    assert (code, err, answer["verdict"], answer["header"]["command"]) == (0, "", "ok", "enquire_link")
    assert answer["answer"]["command"] == "enquire_link_resp"


def test_upper_and_lower_case_are_the_same():
    pdu = "00000014000000040000ABCDEF000000abcdefAB"
    assert ctl("decode", "pdu", pdu) == ctl("decode", "pdu", pdu.lower())


@pytest.mark.parametrize("kind, item, said", [
    ("pdu", "", "nothing to decode"),
    ("pdu", "   ", "no hex digits"),
    ("pdu", "0x", "no hex digits"),
    ("pdu", "00000010f", "a hex digit without its second one at character 9"),
    ("pdu", "00 0 00", "a hex digit without its second one at character 4"),
    ("pdu", "00 0g 00", "not a hex digit at character 5"),
    ("pdu", "hello", "not a hex digit at character 1"),
    ("receipt", "", "nothing to decode"),
])
def test_what_cannot_be_read_is_told_with_a_sentence(kind, item, said):
    assert ctl("decode", kind, item) == (1, "", f"pinbindctl: {said}\n")
    assert decode(kind, [item.encode()], status=1) == [{"line": 1, "error": said}]


@pytest.mark.parametrize("words, said", [
    (["decode"], "decode: pdu or receipt is expected"),
    (["decode", "sms", "x"], "decode: pdu or receipt is expected"),
    (["decode", "pdu"], "decode pdu: one HEX is expected"),
    (["decode", "pdu", "00", "00"], "decode pdu: one HEX is expected"),
    (["decode", "receipt", b"\xff", b"\xff"], "decode receipt: one TEXT is expected"),
    (["decode", "receipt", "x", "--time-zone", "CET"], "--time-zone CET: UTC or an offset"),
    (["decode", "receipt", "x", "--alphabet", "koi8"], "--alphabet koi8: gsm, gsm-packed, latin1 or ascii"),
])
def test_wrong_words_are_told(words, said):
    code, out, err = ctl(*words)
    assert (code, out) == (2, "") and said in err


def test_a_bad_line_does_not_stop_the_others():
    good = b"00000010000000150000000000000001"
    answers = decode("pdu", [good, b"zz", b"", good + b"0", good, b"a" * 10_000_000, good], status=1)
    assert [a.get("verdict") for a in answers] == ["ok", None, None, None, "ok", None, "ok"]
    assert [(a["line"], a["error"]) for a in answers if "error" in a] == [
        (2, "not a hex digit at character 1"), (3, "nothing to decode"),
        (4, "a hex digit without its second one at character 33"), (6, "longer than 524288 characters")]


def test_the_last_line_may_lack_its_end_and_no_line_is_no_fault():
    assert json.loads(ctl("decode", "receipt", "-", octets=b"id:7")[1])["id"] == "7"
    assert ctl("decode", "pdu", "-") == (0, "", "")


def test_the_longest_pdu_that_a_bind_takes_can_be_decoded():
    body = b"\0" * 10 + b"\4\x24\xff\xff" + b"x" * 65535  # data_sm
    pdu = wire.pdu(wire.DATA, 0, 1, body)
    for written in (pdu.hex(), " ".join(f"0x{o:02x}" for o in pdu)):
        [answer] = decode("pdu", [written.encode()], "--text")
        assert answer["verdict"] == "ok" and answer["tlvs"][0]["text"] == "x" * 65535


def test_one_object_is_for_people_unless_json_is_asked_for():
    words = ["decode", "receipt", "id:1 stat:DELIVRD"]
    people, programs = ctl(*words)[1], ctl(*words, "--json")[1]
    assert people.startswith('{\n  "verdict": "receipt",\n') and programs.count("\n") == 1
    assert json.loads(people) == json.loads(programs)
    assert list(json.loads(people))[:2] == ["verdict", "id"]


def test_octets_come_as_one_character_each_and_none_is_a_command_to_a_terminal():
    every = bytes(o for o in range(256) if o not in b"\n")
    code, out, err = ctl("decode", "receipt", "-", "--text", octets=b"id:1 text:" + every)
    assert json.loads(out)["text"] == every.decode("latin1")
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", out)
    code, out, err = ctl("decode", "receipt", b"id:\xe9\xff stat:\x9b31m")
    assert (json.loads(out)["id"], json.loads(out)["stat"]) == ("\u00e9\u00ff", "\x9b31m")


def test_an_output_that_takes_nothing_is_a_failure():
    with open("/dev/full", "wb") as full:
        for words in (["decode", "receipt", "id:1"], ["decode", "receipt", "-"]):
            done = subprocess.run([CTL, *words], input=b"id:1\n" * 3, stdout=full, stderr=subprocess.PIPE,
                                  timeout=20 * SLOW)
            assert done.returncode == 1 and done.stderr.count(b"\n") == 1
