#!/usr/bin/python3
"""Who may include whom: rooms, their public headers, and the libraries each room stands on."""
import re
import sys

import lint

LIBRARIES = {  # library: what its headers look like
    "libevent": r"event2/",
    "openssl": r"openssl/",
    "uthash": r"ut(hash|list|array|string)\.h$",
    "hiredis": r"hiredis/",
    "libsmpp34": r"smpp34",
    "libconfuse": r"confuse\.h$",
    "http-parser": r"http_parser\.h$",
    "jansson": r"jansson\.h$",
    "c-ares": r"ares",
    "libcurl": r"curl/",
    "systemd": r"systemd/",
    "cmocka": r"cmocka\.h$",
    "libc": r"(sys|net|netinet|arpa|linux)/|(assert|byteswap|ctype|dirent|errno|fcntl|float|getopt|glob|grp|inttypes|"
            r"libgen|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|setjmp|signal|spawn|stdalign|stdarg|stdbool|"
            r"stddef|stdint|stdio|stdlib|string|strings|syslog|termios|time|unistd|wchar|wctype)\.h$",
}
# room: rooms and libraries it may include, itself aside.  pin and hlr get events from contracts of
# base and store that are made of struct event_base.
ROOMS = {
    "base": ((), ("libevent", "openssl", "uthash")),
    "store": (("base",), ("libevent", "hiredis", "openssl")),
    "smpp": (("base",), ("libevent", "openssl")),
    "pin": (("base", "store"), ("libevent", "openssl")),
    "hlr": (("base", "store"), ("libevent", "c-ares", "libcurl", "jansson")),
    "gateway": (("base", "store", "smpp", "pin", "hlr"), ("libevent", "openssl", "jansson", "systemd", "http-parser")),
    # the simulator has a codec of its own, so that it cannot share a mistake with ours
    "tests/sim": (("base",), ("libevent", "openssl", "jansson")),
}
ONLY = {  # library: the files that alone may include it
    "libsmpp34": r"^smpp/smpp_encode\.c$",
    "libconfuse": r"^gateway/config[a-z_]*\.c$",
    "http-parser": r"^gateway/http_parse\.c$",
}
PUBLIC = r"^(base/[a-z_]+\.h|store/store\.h|smpp/smpp(_inspect)?\.h|pin/(pin|ledger|registry)\.h|hlr/hlr\.h)$"
GENERATED = {"pin_scripts.h": "pin"}


def library_of(header):
    for name, pattern in LIBRARIES.items():
        if re.match(pattern, header):
            return name
    return None


def check_library(path, room, header):
    library = library_of(header)
    if library is None:
        return f"layers: <{header}> is of no library in the table"
    if library in ONLY:
        return None if re.match(ONLY[library], str(path)) else f"layers: {library} is not for this file"
    if library == "libc" or library in ROOMS[room][1]:
        return None
    return f"layers: {room} may not include {library} (<{header}>)"


def check_local(room, header):
    if header in GENERATED:
        return None if GENERATED[header] == room else f"layers: {header} belongs to {GENERATED[header]}"
    other = header.rsplit("/", 1)[0]
    if other == room:
        return None
    if other not in ROOMS:
        return f"layers: {header} names no room"
    if other not in ROOMS[room][0]:
        return f"layers: {room} may not include {other} ({header})"
    if not re.match(PUBLIC, header):
        return f"layers: {header} is private to {other}"
    return None


report = lint.Report()
for room in ROOMS:
    for path in lint.sources(room, suffixes=(".c", ".h", ".def")):
        for n, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if m:
                bad = check_library(path, room, m[2]) if m[1] == "<" else check_local(room, m[2])
                if bad:
                    report(path, n, bad)
report.exit()
