#!/usr/bin/env node
// npm's @infobip-api/sdk as an application of the HTTP API, unchanged:
//   API_KEY=KEY node infobip-sdk.mjs http://127.0.0.1:8080
// A line on standard input is a call, {"call": "sendPINCodeSMS", "args": [...]}; each is answered by
// a line {"status", "data", "retryAfter", "error"}: the SDK gives a refusal back as an error object.
import { createInterface } from 'node:readline/promises';
import sdk from '@infobip-api/sdk';

const client = new sdk.Infobip({
  baseUrl: process.argv[2], apiKey: process.env.API_KEY, authType: sdk.AuthType.ApiKey,
});
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  const said = await client.service.twoFA[call](...args);
  const response = said.response ?? said;
  console.log(JSON.stringify({
    status: response.status, data: response.data, retryAfter: response.headers?.['retry-after'],
    error: said instanceof Error ? said.message : undefined,
  }));
}
