"""Every PDU that the integration tests made pinbind write, before decoders that are not ours."""
import json
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import wire  # noqa: E402
from procs import BUILD  # noqa: E402

PORT = 2775
OURS = {0x00000001, 0x00000002, 0x00000003, 0x00000004, 0x00000008, 0x00000009, 0x00000006, 0x00000015, 0x80000005, 0x80000103, 0x80000006, 0x80000015, 0x80000000}


@pytest.fixture(scope="module")
def pdus():
    """[(octets, test)], each different PDU once."""
    found = {}
    for path in sorted((BUILD / "pdus").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            found.setdefault(bytes.fromhex(entry["hex"]), entry["test"])
    assert len(found) > 500, "the integration tests have not run"
    return list(found.items())


def test_every_kind_of_pdu_that_pinbind_writes_was_seen(pdus):
    assert OURS <= {wire.header(p)[0] for p, _ in pdus}


def as_of_34(pdu):
    """A bind of another version of SMPP, which libsmpp34 does not know; all else in it is the same."""
    if wire.header(pdu)[0] not in (wire.BIND_RX, wire.BIND_TX, wire.BIND_TRX):
        return pdu
    at = 16
    for _ in range(3):
        _, at = wire.cstr(pdu, at)
    assert pdu[at] in (0x33, 0x34, 0x50)
    return pdu[:at] + b"\x34" + pdu[at + 1:]


def test_libsmpp34_unpacks_each_of_them(pdus):
    lines = "".join(as_of_34(p).hex() + "\n" for p, _ in pdus)
    out = subprocess.run([BUILD / "second-opinion"], input=lines, capture_output=True, text=True, check=True).stdout
    answers = out.splitlines()
    assert len(answers) == len(pdus)
    for (pdu, test), answer in zip(pdus, answers):
        command, _, sequence = wire.header(pdu)
        words = answer.split(" ")
        if words[0] == "refused" and (sequence == 0 or sequence > 0x7fffffff):
            continue  # echoed as the SMSC wrote it, or a generic_nack to no PDU: outside of 3.4's range
        assert words[:2] == ["ok", f"{command:08x}"], f"{test}: {answer}: {pdu.hex()}"
        if command == wire.SUBMIT:
            ours = wire.parse_submit(pdu)
            assert words[2:] == [ours["src"], ours["dst"], str(ours["dc"]), ours["octets"].hex()], test
        elif command == wire.QUERY:
            ours = wire.parse_query(pdu)
            assert words[2:] == [ours["id"], ours["src"]], test
        elif command == wire.CANCEL:
            ours = wire.parse_cancel(pdu)
            assert words[2:] == [ours["id"], ours["src"], ours["dst"]], test


def pcap(pdus, path):
    """One TCP segment each way of a made-up connection; text2pcap writes the headers."""
    text = "".join("000000 " + " ".join(f"{o:02x}" for o in pdu) + "\n\n" for pdu, _ in pdus)
    subprocess.run(["text2pcap", "-q", "-T", f"40000,{PORT}", "-", path], input=text, text=True, check=True,
                   capture_output=True)


FIELDS = ["frame.number", "smpp.message_id", "smpp.command_id", "smpp.command_length", "smpp.sequence_number", "smpp.source_addr",
          "smpp.destination_addr", "smpp.data_coding", "smpp.sm_length", "_ws.malformed", "_ws.expert.severity"]


def test_tshark_decodes_each_of_them_without_a_complaint(pdus, tmp_path):
    path = tmp_path / "pdus.pcap"
    pcap(pdus, path)
    out = subprocess.run(
        ["tshark", "-r", path, "-d", f"tcp.port=={PORT},smpp", "-o", "tcp.desegment_tcp_streams:FALSE",
         "-o", "tcp.analyze_sequence_numbers:FALSE", "-T", "fields", "-E", "separator=/t",
         *(w for f in FIELDS for w in ("-e", f))],
        capture_output=True, text=True, check=True).stdout
    rows = [dict(zip(FIELDS, line.split("\t"))) for line in out.splitlines()]
    assert len(rows) == len(pdus)
    for (pdu, test), row in zip(pdus, rows):
        command, _, sequence = wire.header(pdu)
        assert int(row["smpp.command_id"], 16) == command, f"{test}: {row}"
        assert int(row["smpp.command_length"]) == len(pdu) and int(row["smpp.sequence_number"]) == sequence
        assert not row["_ws.malformed"] and not row["_ws.expert.severity"], f"{test}: {row}: {pdu.hex()}"
        if command == wire.SUBMIT:
            ours = wire.parse_submit(pdu)
            assert (row["smpp.source_addr"], row["smpp.destination_addr"]) == (ours["src"], ours["dst"])
            assert int(row["smpp.data_coding"], 0) == ours["dc"] and int(row["smpp.sm_length"]) == len(ours["octets"])
        elif command in (wire.QUERY, wire.CANCEL):
            ours = wire.parse_query(pdu) if command == wire.QUERY else wire.parse_cancel(pdu)
            assert (row["smpp.message_id"], row["smpp.source_addr"]) == (ours["id"], ours["src"])
            assert row["smpp.destination_addr"] == ours.get("dst", "")
