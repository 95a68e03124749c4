#!/usr/bin/env node
// npm's redis as an application of the verify socket, with its default options:
//   node redis-client.mjs URL APP MESSAGE TO       ("unix" URLs are paths: unix:/path?password=...)
// Sends one PIN, waits for a line on standard input with the PIN, verifies it, then pipelines.
// One JSON object a line on standard output.
import { createClient } from 'redis';
import { createInterface } from 'node:readline/promises';

const [url, app, message, to] = process.argv.slice(2);
const [, path, password] = /^unix:([^?]+)(?:\?password=(.*))?$/.exec(url) || [];
const client = createClient(path ? { socket: { path }, password } : { url });
const say = (o) => console.log(JSON.stringify(o));
client.on('error', (e) => { say({ error: String(e) }); process.exit(1); });

await client.connect();
say({ connected: await client.ping() });
const sent = await client.sendCommand(['PIN.SEND', app, message, to]);
say({ sent });
const input = createInterface({ input: process.stdin });
const pin = (await input[Symbol.asyncIterator]().next()).value;
say({ wrong: await client.sendCommand(['PIN.VERIFY', sent.pinId, '0']) });
say({ verified: await client.sendCommand(['PIN.VERIFY', sent.pinId, pin]) });
// one write, answers in order
say({ pipeline: await Promise.all([
  client.ping(),
  client.sendCommand(['ECHO', 'one']),
  client.sendCommand(['PIN.STATUS', sent.pinId]).then((s) => s.state),
  client.sendCommand(['PIN.VERIFY', 'no-such-pin', '1']).catch((e) => String(e.message)),
  client.sendCommand(['ECHO', 'two']),
]) });
client.destroy();
process.exit(0);
