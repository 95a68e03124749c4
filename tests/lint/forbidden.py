#!/usr/bin/python3
"""What the product must not call, and how a secret must not be handled."""
import re

import lint

CALLS = {  # name: why not
    "strcpy|strcat|stpcpy|sprintf|vsprintf|gets": "has no bound",
    "strtok|asctime|ctime|gmtime|localtime|strerror_l": "keeps its state in the library",
    "atoi|atol|atoll|atof|scanf|fscanf": "hides overflow and garbage",
    "system|popen": "runs a shell",
    "sleep|usleep|nanosleep": "blocks the event loop",
    "getaddrinfo|gethostbyname|gethostbyaddr": "blocks the event loop on DNS",
    "redisConnect|redisCommand|redisvCommand|redisCommandArgv|redisGetReply": "blocks the event loop on Redis",
    "alloca": "has no bound",
    "rand|random|srand|drand48": "is no source of anything that matters",
    "smpp34_unpack2?|smpp34_dumpPdu2?": "is not made for untrusted input",
}
SECRET = r"(pass(word|wd)?|secret|api_key|plain|typed|nonce|tag)"
COMPARE = r"strn?cmp|strn?casecmp|memcmp|bcmp"


def check_calls(report, path, code):
    for names, why in CALLS.items():
        for at, _, _ in lint.calls(code, names):
            name = re.match(r"\w+", code[at:])[0]
            if name == "getaddrinfo" and "AI_NUMERICHOST" in code[max(0, at - 600):at]:
                continue  # numbers only: nothing is asked of the DNS
            report(path, lint.line_of(code, at), f"forbidden: {name}() {why}")


def check_logs(report, path, code):
    """No log line takes the octets of a struct secret, nor anything whose name says secret."""
    for at, begin, end in lint.calls(code, r"LOG|log_write|f?printf|v?dprintf|syslog"):
        args = code[begin:end]
        if re.search(r"(->|\.)data\b", args) or re.search(
                r"\b%s\b(->data|\.data|\s*[,)])" % SECRET, args + ","):
            report(path, lint.line_of(code, at), "secrets: a secret in a log line or on a terminal")


def check_compares(report, path, code):
    for at, begin, end in lint.calls(code, COMPARE):
        if re.search(r"\b\w*%s\b" % SECRET, code[begin:end]):
            report(path, lint.line_of(code, at), "secrets: compare secrets with secret_equal()")


report = lint.Report()
for path in lint.sources(*lint.ROOMS):
    code = lint.strip(path.read_text())
    check_calls(report, path, code)
    check_logs(report, path, code)
    check_compares(report, path, code)
report.exit()
