// What a call costs between JavaScript and the core: an echo in the native part stands in the place of the connection, so
// that nothing else is measured but the core's own part of a call.
//
//   scripts/node.sh bench     builds with the feature `echo`, and runs this
//
// With 64 in flight, a task is 64 calls; the table divides by 64.

import { Bench } from "tinybench";
import { RonAppSdk } from "@ron/app-sdk";
import { Gateway } from "@ron/app-sdk/testing";

const LENGTHS = [64, 65_536];
const IN_FLIGHT = [1, 64];
const time = Number(process.env.BENCH_MS ?? 1_000);

// For its capability alone: any well-formed one would do.
const gateway = await Gateway.start();
await gateway.stop();
const sdk = new RonAppSdk({ capability: gateway.capability });
const bench = new Bench({ time, warmupTime: time / 4 });
const calls = new Map();

function add(name, inFlight, call) {
  const title = `${name}, ${inFlight} in flight`;
  calls.set(title, inFlight);
  const one = [call];
  bench.add(title, inFlight === 1 ? call : () => Promise.all(Array.from({ length: inFlight }, one[0])));
}

for (const length of LENGTHS) {
  const body = new Uint8Array(length).fill(7);
  const address = await sdk.storagePut(body);
  for (const inFlight of IN_FLIGHT) {
    add(`put ${length} B`, inFlight, () => sdk.storagePut(body));
    add(`get ${length} B`, inFlight, () => sdk.storageGet(address));
  }
}
const empty = await sdk.storagePut(new Uint8Array(0));
for (const inFlight of IN_FLIGHT) {
  add("head", inFlight, () => sdk.storageHead(empty));
}

await bench.run();
console.table(
  Object.fromEntries(
    bench.tasks.map(({ name, result }) => {
      if (result.state === "errored") throw result.error;
      const each = 1_000 / calls.get(name);
      const { p50, p99 } = result.latency;
      return [name, { "median µs per call": (p50 * each).toFixed(2), "p99 µs per call": (p99 * each).toFixed(2) }];
    }),
  ),
);
await sdk.close();
