"""Stock Redis clients connect without special options and send, verify and pipeline."""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
import redis

from procs import ROOT, SLOW, Program, run, wait_for
from world import World, number, pin_in, free_port


@pytest.fixture(scope="module")
def both():
    """A gateway with a Unix socket that has an account of its own, and TCP."""
    w = World()
    smsc = w.node("smsc")
    port = free_port()
    gateway, account = w.start({"acme": smsc}, verify={"unix_account": "demo", "tcp": f"127.0.0.1:{port}"})
    gateway.tcp = port
    account.plain = account.new_message("--length", "8", text="Your code is {{pin}}")
    yield gateway, account, smsc
    w.close(False)


def redis_cli(gateway, account, where, *words, pre=()):
    target = ["-s", gateway.verify_path] if where == "unix" else ["-p", gateway.tcp, "-a", account.key, "--no-auth-warning"]
    code, out, err = run(["redis-cli", *target, *pre, *words])
    assert code == 0, out + err
    return out


@pytest.mark.parametrize("where", ["unix", "tcp"])
@pytest.mark.parametrize("options", [(), ("-3",)])
def test_redis_cli_sends_and_verifies(both, where, options):
    gateway, account, smsc = both
    to = number()
    out = redis_cli(gateway, account, where, "PIN.SEND", account.app, account.plain, to, pre=options)
    pin_id = re.search(r"\b[0-9A-F]{32}\b", out)[0]
    assert "MESSAGE_SENT" in out
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    assert "WRONG_PIN" in redis_cli(gateway, account, where, "PIN.VERIFY", pin_id, "1", pre=options)
    out = redis_cli(gateway, account, where, "PIN.VERIFY", pin_id, pin, pre=options)
    assert re.search(r"verified\W+(\(integer\) )?(1|true|\(true\))\b", out) or "true" in out, out


def test_redis_cli_pipes_commands_from_its_input(both):
    gateway, account, smsc = both
    code, out, err = run(["redis-cli", "-s", gateway.verify_path], input="PING\nECHO hi\nSELECT 0\nCLIENT GETNAME\nINFO\n")
    assert code == 0 and out.startswith("PONG\nhi\nOK\n"), out + err


def test_redis_cli_pipe_mode(both):
    gateway, account, smsc = both
    text = "".join(f"*2\r\n$4\r\nECHO\r\n$4\r\n{i:04}\r\n" for i in range(1000))
    code, out, err = run(["redis-cli", "-s", gateway.verify_path, "--pipe"], input=text)
    assert "errors: 0, replies: 1000" in out, out + err


def test_redis_cli_starts_interactively(both):
    gateway, account, smsc = both
    leader, follower = pty.openpty()
    process = subprocess.Popen(["redis-cli", "-s", str(gateway.verify_path)], stdin=follower, stdout=follower,
                               stderr=follower, start_new_session=True, env={**os.environ, "TERM": "dumb"})
    os.close(follower)
    seen = b""

    def until(needle):
        nonlocal seen
        deadline = time.monotonic() + 10 * SLOW
        while needle not in seen:
            ready, _, _ = select.select([leader], [], [], max(0, deadline - time.monotonic()))
            assert ready, seen
            seen += os.read(leader, 65536)
    try:
        until(b"> ")
        os.write(leader, b"PING\n")
        until(b"PONG")
        os.write(leader, b"PIN.STATUS nonsense\n")
        until(b"NOT_FOUND")
        assert b"ERR unknown" not in seen
    finally:
        process.kill()
        process.wait()
        os.close(leader)


@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_python3_redis_sends_verifies_and_pipelines(both, where):
    gateway, account, smsc = both
    if where == "unix":
        client = redis.Redis(unix_socket_path=str(gateway.verify_path))
    else:
        client = redis.Redis(port=gateway.tcp, password=account.key, client_name="app", db=0)
    assert client.ping()
    to = number()
    sent = client.execute_command("PIN.SEND", account.app, account.plain, to)
    assert sent[0] == b"pinId"
    pin = pin_in(smsc.wait_submits(to)[0]["text"])
    pipe = client.pipeline(transaction=False)
    pipe.ping()
    pipe.execute_command("PIN.VERIFY", sent[1], "0")
    pipe.execute_command("PIN.VERIFY", sent[1], pin)
    pipe.echo("end")
    pong, wrong, right, end = pipe.execute()
    assert pong and end == b"end"
    assert wrong[wrong.index(b"verified") + 1] == 0 and right[right.index(b"verified") + 1] == 1
    pipe = client.pipeline()  # the default: wrapped in MULTI and EXEC
    pipe.execute_command("PIN.STATUS", sent[1])
    pipe.execute_command("PIN.STATUS", "0" * 32)
    pipe.ping()
    status, nothing, pong = pipe.execute(raise_on_error=False)
    assert status[status.index(b"state") + 1] == b"VERIFIED" and pong
    assert isinstance(nothing, redis.ResponseError) and str(nothing).startswith("NOT_FOUND")
    client.close()


@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_npm_redis_sends_verifies_and_pipelines(both, where, tmp_path):
    gateway, account, smsc = both
    url = f"unix:{gateway.verify_path}" if where == "unix" else f"redis://:{account.key}@127.0.0.1:{gateway.tcp}"
    to = number()
    program = Program("node-redis", ["node", ROOT / "tests/peers/redis-client.mjs", url, account.app, account.plain, to],
                      tmp_path, stdin=subprocess.PIPE)
    smsc.wait_submits(to)
    program.popen.stdin.write(pin_in(smsc.submits(to)[0]["text"]).encode() + b"\n")
    program.popen.stdin.flush()
    assert program.wait() == 0, program.out() + program.err()
    said = {k: v for line in program.out().splitlines() for k, v in json.loads(line).items()}
    assert said["connected"] == "PONG"
    assert said["sent"]["smsStatus"] == "MESSAGE_SENT" and said["sent"]["to"] == to
    assert said["wrong"]["verified"] is False and said["wrong"]["pinError"] == "WRONG_PIN"
    assert said["verified"]["verified"] is True
    one, two, three, four, five = said["pipeline"]
    assert (one, two, three, five) == ("PONG", "one", "VERIFIED", "two") and four.startswith("NOT_FOUND")
    assert "error" not in said
    program.stop()


def test_a_wrong_key_is_refused_by_every_client(both):
    gateway, account, smsc = both
    with pytest.raises(redis.exceptions.RedisError, match="WRONGPASS|invalid"):
        redis.Redis(port=gateway.tcp, password="pb_" + "0" * 64).ping()
    with pytest.raises(redis.exceptions.RedisError, match="NOAUTH|Authentication"):
        redis.Redis(port=gateway.tcp).execute_command("PIN.STATUS", "1" * 32)
    code, out, err = run(["redis-cli", "-p", gateway.tcp, "INFO"])
    assert "NOAUTH" in out + err
