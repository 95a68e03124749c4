#!/usr/bin/python3
"""The handsets of a network without radio: an MME that speaks SGsAP (3GPP TS 29.118) to osmo-msc.

  mme.py ADDRESS PORT IMSI=BEHAVIOUR...

BEHAVIOUR: ack        attached, takes every message
           error:N    attached, answers every message with RP-ERROR, cause N (TS 24.011, 8.2.5.4)
           detach     attached, then switched off

Records go over TCP, each with its length in two octets before it (sctp_over_tcp.c).
Standard output gives one JSON object a line: attached, detached, sms (what a handset shows).
"""
import json
import socket
import struct
import sys
import time

PAGING_REQUEST, SERVICE_REQUEST = 0x01, 0x06
DOWNLINK_UNITDATA, UPLINK_UNITDATA = 0x07, 0x08
UPDATE_REQUEST, UPDATE_ACCEPT, UPDATE_REJECT = 0x09, 0x0a, 0x0b  # location update
TMSI_COMPLETE = 0x0c
IMSI_DETACH, IMSI_DETACH_ACK = 0x13, 0x14
RESET_INDICATION, RESET_ACK = 0x15, 0x16

IE_IMSI, IE_LAI, IE_MME_NAME, IE_UPDATE_TYPE, IE_TMSI = 0x01, 0x04, 0x09, 0x0a, 0x0e
IE_DETACH_TYPE, IE_NAS, IE_SERVICE = 0x11, 0x16, 0x20

CP_DATA, CP_ACK = 0x01, 0x04  # TS 24.011, 8.1.3
RP_DATA_TO_HANDSET, RP_ACK_FROM_HANDSET, RP_ERROR_FROM_HANDSET = 0x01, 0x02, 0x04

MME_NAME = b"".join(bytes([len(label)]) + label for label in
                    b"mmec01.mmegi0001.mme.epc.mnc001.mcc001.3gppnetwork.org".split(b"."))
LAI = bytes.fromhex("00f1100001")  # country 001, network 01, area 1
GSM = ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
       "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
GSM_ESCAPED = dict(zip("\n/()<Λ=>¡e", "\f\\{}[^~]|€"))  # what follows 0x1b, by its plain meaning


def say(**event):
    print(json.dumps(event), flush=True)


def semi_octets(octets):
    """Digits, two to an octet, the first in the low half."""
    return "".join(f"{o & 15:x}{o >> 4:x}" for o in octets).rstrip("f")


def imsi_out(imsi):
    odd = "9" + imsi  # 9: IMSI, odd number of digits
    return bytes(int(odd[i + 1] + odd[i], 16) for i in range(0, len(odd), 2))


def imsi_in(octets):
    return semi_octets(octets)[1:]


def ie(tag, value):
    return bytes([tag, len(value)]) + value


def ies(octets):
    found = {}
    while len(octets) >= 2:
        tag, length = octets[:2]
        found[tag] = octets[2:2 + length]
        octets = octets[2 + length:]
    return found


def unpack_gsm(octets, septets, skip=0):
    """Text of the GSM default alphabet, seven bits a character; skip: septets that a header takes."""
    bits = int.from_bytes(octets, "little")
    plain = [GSM[bits >> 7 * i & 127] for i in range(skip, septets)]
    text, at = "", 0
    while at < len(plain):
        if plain[at] == "\x1b" and at + 1 < len(plain):
            at += 1
            text += GSM_ESCAPED.get(plain[at], plain[at])
        else:
            text += plain[at]
        at += 1
    return text


def address(octets):
    """(text, octets it takes) of an originating address (TS 23.040, 9.1.2.5)."""
    digits, kind = octets[:2]
    end = 2 + (digits + 1) // 2
    if kind & 0x70 == 0x50:
        return unpack_gsm(octets[2:end], digits * 4 // 7), end
    return semi_octets(octets[2:end]), end


def sms_deliver(tpdu):
    """What SMS-DELIVER says (TS 23.040, 9.2.2.1)."""
    sender, taken = address(tpdu[1:])
    _, coding = tpdu[1 + taken:3 + taken]
    length, data = tpdu[10 + taken], tpdu[11 + taken:]
    header = data[:1 + data[0]] if tpdu[0] & 0x40 else b""
    if coding & 0x0c == 0x08:
        text = data[len(header):length].decode("utf-16-be")
    elif coding & 0x0c == 0x04:
        text = data[len(header):length].decode("latin1")
    else:
        text = unpack_gsm(data, length, (len(header) * 8 + 6) // 7)
    return {"from": sender, "coding": coding, "udh": header.hex(), "text": text}


class Mme:
    def __init__(self, where, behaviours):
        self.behaviours = behaviours
        self.socket = socket.create_connection(where)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def send(self, kind, *elements):
        record = bytes([kind]) + b"".join(elements)
        self.socket.sendall(struct.pack(">H", len(record)) + record)

    def attach(self, imsi):
        self.send(UPDATE_REQUEST, ie(IE_IMSI, imsi_out(imsi)), ie(IE_MME_NAME, MME_NAME), ie(IE_UPDATE_TYPE, b"\1"),
                  ie(IE_LAI, LAI))

    def run(self):
        self.send(RESET_INDICATION, ie(IE_MME_NAME, MME_NAME))
        for imsi in self.behaviours:
            self.attach(imsi)
        while head := self.stream.read(2):
            record = self.stream.read(*struct.unpack(">H", head))
            self.take(record[0], ies(record[1:]))

    def take(self, kind, found):
        imsi = imsi_in(found.get(IE_IMSI, b""))
        name = ie(IE_IMSI, found.get(IE_IMSI, b""))
        if kind == UPDATE_ACCEPT:
            if IE_TMSI in found:
                self.send(TMSI_COMPLETE, name)
            say(ev="attached", imsi=imsi)
            if self.behaviours[imsi] == "detach":
                self.send(IMSI_DETACH, name, ie(IE_MME_NAME, MME_NAME), ie(IE_DETACH_TYPE, b"\1"))
        elif kind == UPDATE_REJECT:  # osmo-msc has no link to the HLR yet
            time.sleep(0.1)
            self.attach(imsi)
        elif kind == IMSI_DETACH_ACK:
            say(ev="detached", imsi=imsi)
        elif kind == RESET_INDICATION:
            self.send(RESET_ACK, ie(IE_MME_NAME, MME_NAME))
        elif kind == PAGING_REQUEST:
            self.send(SERVICE_REQUEST, name, ie(IE_SERVICE, found[IE_SERVICE]))
        elif kind == DOWNLINK_UNITDATA:
            self.take_nas(imsi, name, found[IE_NAS])

    def take_nas(self, imsi, name, message):
        transaction = bytes([message[0] ^ 0x80])
        if message[1] != CP_DATA or message[3] != RP_DATA_TO_HANDSET:
            return
        self.send(UPLINK_UNITDATA, name, ie(IE_NAS, transaction + bytes([CP_ACK])))
        reference, rest = message[4], message[5:]
        rest = rest[1 + rest[0]:]  # the service centre
        rest = rest[1 + rest[0]:]  # destination, empty
        say(ev="sms", imsi=imsi, **sms_deliver(rest[1:]))
        answer = bytes([RP_ACK_FROM_HANDSET, reference])
        if self.behaviours[imsi].startswith("error:"):
            answer = bytes([RP_ERROR_FROM_HANDSET, reference, 1, int(self.behaviours[imsi][6:])])
        self.send(UPLINK_UNITDATA, name, ie(IE_NAS, transaction + bytes([CP_DATA, len(answer)]) + answer))


if __name__ == "__main__":
    Mme((sys.argv[1], int(sys.argv[2])), dict(a.split("=") for a in sys.argv[3:])).run()
