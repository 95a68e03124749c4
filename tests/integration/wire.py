"""SMPP 3.4 as the tests see it: a codec of their own, small and strict."""
import struct

BIND_RX, BIND_TX = 0x00000001, 0x00000002
BIND_TRX, BIND_TRX_RESP = 0x00000009, 0x80000009
SUBMIT, SUBMIT_RESP = 0x00000004, 0x80000004
DELIVER, DELIVER_RESP = 0x00000005, 0x80000005
DATA, DATA_RESP = 0x00000103, 0x80000103
QUERY, QUERY_RESP = 0x00000003, 0x80000003
CANCEL, CANCEL_RESP = 0x00000008, 0x80000008
UNBIND, UNBIND_RESP = 0x00000006, 0x80000006
OUTBIND = 0x0000000b
ENQUIRE, ENQUIRE_RESP = 0x00000015, 0x80000015
NACK = 0x80000000


def pdu(command, status, sequence, body=b""):
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def split(buffer):
    """Takes the whole PDUs off a bytearray."""
    while len(buffer) >= 16:
        length = struct.unpack_from(">I", buffer)[0]
        assert 16 <= length <= 70000, f"a PDU of {length} octets: {bytes(buffer[:32]).hex()}"
        if len(buffer) < length:
            return
        whole = bytes(buffer[:length])
        del buffer[:length]
        yield whole


def header(whole):
    """(command, status, sequence)"""
    return struct.unpack_from(">III", whole, 4)


def cstr(octets, at):
    end = octets.index(0, at)
    return octets[at:end].decode("latin1"), end + 1


def parse_submit(whole):
    """The fields of a submit_sm that the tests ask for."""
    f, at = {}, 16
    f["service_type"], at = cstr(whole, at)
    f["source_ton"], f["source_npi"] = whole[at], whole[at + 1]
    f["src"], at = cstr(whole, at + 2)
    f["dest_ton"], f["dest_npi"] = whole[at], whole[at + 1]
    f["dst"], at = cstr(whole, at + 2)
    f["esm_class"], f["protocol_id"], f["priority"] = whole[at:at + 3]
    f["schedule"], at = cstr(whole, at + 3)
    f["validity"], at = cstr(whole, at)
    f["registered_delivery"], f["replace"], f["dc"], f["default_msg"], length = whole[at:at + 5]
    f["octets"] = whole[at + 5:at + 5 + length]
    f["text"] = f["octets"].decode("utf-16-be" if f["dc"] == 8 else "latin1")
    f["rest"] = whole[at + 5 + length:]
    return f


def parse_query(whole):
    f = {}
    f["id"], at = cstr(whole, 16)
    f["source_ton"], f["source_npi"] = whole[at], whole[at + 1]
    f["src"], at = cstr(whole, at + 2)
    assert at == len(whole)
    return f


def parse_cancel(whole):
    f = {}
    f["service_type"], at = cstr(whole, 16)
    f["id"], at = cstr(whole, at)
    f["source_ton"], f["source_npi"] = whole[at], whole[at + 1]
    f["src"], at = cstr(whole, at + 2)
    f["dest_ton"], f["dest_npi"] = whole[at], whole[at + 1]
    f["dst"], at = cstr(whole, at + 2)
    assert at == len(whole)
    return f


def query_resp(sequence, message_id, state, error=0, date="", status=0):
    return pdu(QUERY_RESP, status, sequence, message_id.encode() + b"\0" + date.encode() + b"\0" + bytes([state, error]))


def deliver(sequence, source, destination, text, esm_class=4, command=DELIVER, tail=b""):
    body = (b"\0" + b"\1\1" + source.encode() + b"\0" + b"\1\1" + destination.encode() + b"\0" +
            bytes([esm_class, 0, 0]) + b"\0\0" + bytes([0, 0, 0, 0, len(text)]) + text + tail)
    return pdu(command, 0, sequence, body)


def receipt_text(message_id, stat="DELIVRD", err="000"):
    return (f"id:{message_id} sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 "
            f"stat:{stat} err:{err} text:").encode()
