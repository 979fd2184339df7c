// A get of 64 KiB from end to end, over TLS, beside undici, fetch and node:https in the same run: the SDK from a gateway over
// OAP, the others the same bytes from the same gateway over HTTP/1.1, without hashing what they get.
//
//   scripts/node.sh bench

import { readFileSync } from "node:fs";
import https from "node:https";
import { Bench } from "tinybench";
import { Agent, fetch, request } from "undici";
import { Gateway } from "@ron/app-sdk/testing";

const IN_FLIGHT = [1, 64];
const LENGTH = 65_536;
const time = Number(process.env.BENCH_MS ?? 1_000);

const gateway = await Gateway.start();
const sdk = gateway.client();
const address = await sdk.storagePut(new Uint8Array(LENGTH).fill(7));
const url = `${gateway.gatewayAddr}/o/${address}`;
const ca = readFileSync(gateway.ca);
const headers = { authorization: `Ron ${gateway.capability}` };
const dispatcher = new Agent({ connect: { ca }, connections: 16 });
const agent = new https.Agent({ ca, keepAlive: true, maxSockets: 16 });

function overHttps() {
  return new Promise((resolve, reject) => {
    https
      .get(url, { agent, headers }, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => resolve(Buffer.concat(parts)));
        response.on("error", reject);
      })
      .on("error", reject);
  });
}

const CLIENTS = {
  "@ron/app-sdk": () => sdk.storageGet(address),
  undici: async () => Buffer.from(await (await request(url, { dispatcher, headers })).body.arrayBuffer()),
  "fetch of undici": async () => Buffer.from(await (await fetch(url, { dispatcher, headers })).arrayBuffer()),
  "node:https": overHttps,
};

for (const [name, call] of Object.entries(CLIENTS)) {
  const bytes = await call();
  if (bytes.length !== LENGTH) throw new Error(`${name} got ${bytes.length} bytes: ${bytes.subarray(0, 200)}`);
}
const rows = {};
for (const inFlight of IN_FLIGHT) {
  const bench = new Bench({ time, warmupTime: time / 4 });
  for (const [name, call] of Object.entries(CLIENTS)) {
    bench.add(name, inFlight === 1 ? call : () => Promise.all(Array.from({ length: inFlight }, call)));
  }
  await bench.run();
  for (const { name, result } of bench.tasks) {
    if (result.state === "errored") throw result.error;
    const micros = (result.latency.p50 * 1_000) / inFlight;
    rows[`${name}, ${inFlight} in flight`] = {
      "median µs per call": micros.toFixed(1),
      "MiB/s": (LENGTH / 1.048576 / micros).toFixed(0),
    };
  }
}
console.table(rows);
await sdk.close();
await dispatcher.close();
agent.destroy();
await gateway.stop();
