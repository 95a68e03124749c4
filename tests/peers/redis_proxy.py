#!/usr/bin/python3
"""A proxy in front of Redis that loses answers on request.

  redis_proxy.py UPSTREAM_PORT        listens on a free port of 127.0.0.1

Standard input takes one JSON object a line:
  {"names": {"<sha1 of a script>": "verify", ...}}     what EVALSHA of it is called from now on
  {"swallow": "verify", "nth": 1, "how": "cut"}        loses the nth answer from now to that command
how "cut": the answer is dropped and the connection ends; "hold": it and all that follow on this
connection are dropped, nothing is closed.
Standard output gives one JSON object a line: listening, swallowed, command (each one seen).
"""
import asyncio
import json
import sys


def say(**event):
    print(json.dumps(event), flush=True)


async def read_line(reader):
    line = await reader.readuntil(b"\r\n")
    return line, line[1:-2]


async def read_reply(reader):
    """One whole RESP2 value as octets."""
    line, rest = await read_line(reader)
    if line[:1] == b"$" and int(rest) >= 0:
        return line + await reader.readexactly(int(rest) + 2)
    if line[:1] == b"*":
        return line + b"".join([await read_reply(reader) for _ in range(max(0, int(rest)))])
    return line


async def read_command(reader):
    """The octets of one command and its arguments."""
    line, rest = await read_line(reader)
    octets, args = line, []
    for _ in range(int(rest)):
        head, size = await read_line(reader)
        body = await reader.readexactly(int(size) + 2)
        octets += head + body
        args.append(body[:-2])
    return octets, args


class Proxy:
    def __init__(self, upstream):
        self.upstream = upstream
        self.names = {}
        self.rules = []  # [name, answers still to come, how]

    def name_of(self, args):
        word = args[0].decode("latin1").upper()
        if word == "EVALSHA":
            return self.names.get(args[1].decode("latin1"), word)
        return word

    def verdict(self, name):
        for rule in self.rules:
            if rule[0] == name:
                rule[1] -= 1
                if rule[1] == 0:
                    self.rules.remove(rule)
                    say(ev="swallowed", name=name, how=rule[2])
                    return rule[2]
        return None

    async def answers(self, server, client, asked):
        holding = False
        while True:
            reply = await read_reply(server)
            if asked.empty():  # a pushed message of a subscription
                client.write(reply)
                continue
            how = self.verdict(asked.get_nowait())
            if how == "cut":
                return
            holding = holding or how == "hold"
            if not holding:
                client.write(reply)

    async def commands(self, client, server, asked):
        while True:
            octets, args = await read_command(client)
            name = self.name_of(args)
            say(ev="command", name=name)
            await asked.put(name)
            server.write(octets)

    async def serve(self, client_r, client_w):
        try:
            server_r, server_w = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            client_w.close()
            return
        asked = asyncio.Queue()
        both = [asyncio.ensure_future(self.answers(server_r, client_w, asked)),
                asyncio.ensure_future(self.commands(client_r, server_w, asked))]
        done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.exception()
        client_w.close()
        server_w.close()

    def obey(self, line):
        order = json.loads(line)
        self.names.update(order.get("names", {}))
        if "swallow" in order:
            self.rules.append([order["swallow"], order.get("nth", 1), order.get("how", "cut")])
            say(ev="armed", name=order["swallow"])


async def main():
    proxy = Proxy(int(sys.argv[1]))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 24)
    say(ev="listening", port=server.sockets[0].getsockname()[1])
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        proxy.obey(line)


asyncio.run(main())
