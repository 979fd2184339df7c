// A million calls leave no memory behind, in JavaScript's heap or outside of it. Over the echo in the place of the connection:
// `scripts/node.sh memory`, in `make test-deep`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RonNotFoundError } from "@ron/app-sdk";
import { Gateway } from "@ron/app-sdk/testing";

const ROUND = 100_000;
const ROUNDS = 10;
const IN_FLIGHT = 64;
const MOST_GROWTH = 24 * 1024 * 1024;

test("memory stays as it is over a million calls", { timeout: 600_000 }, async () => {
  // For its capability alone.
  const gateway = await Gateway.start();
  await gateway.stop();
  const sdk = gateway.client();
  const [small, large] = [Buffer.alloc(64, 1), Buffer.alloc(65_536, 2)];
  const missing = `b3:${"0".repeat(64)}`;

  const caller = async (count: number): Promise<void> => {
    const controller = new AbortController();
    for (let index = 0; index < count; index += 1) {
      // Mostly small ones, with large ones, failures and signals among them.
      const body = index % 16 === 0 ? large : small;
      const address = await sdk.storagePut(body, { signal: controller.signal });
      assert.equal((await sdk.storageGet(address)).length, body.length);
      if (index % 64 === 0) {
        await assert.rejects(sdk.storageGet(missing), RonNotFoundError);
      }
    }
  };
  const round = async (): Promise<{ rss: number; external: number; heap: number }> => {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => caller(ROUND / IN_FLIGHT / 2)));
    global.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    global.gc?.();
    const { rss, external, arrayBuffers, heapUsed } = process.memoryUsage();
    return { rss, external: external + arrayBuffers, heap: heapUsed };
  };

  assert.ok(global.gc !== undefined, "run it with --expose-gc");
  await round();
  const before = await round();
  for (let index = 0; index < ROUNDS; index += 1) {
    await round();
  }
  const after = await round();
  console.log(before, after);
  for (const key of ["rss", "external", "heap"] as const) {
    const growth = after[key] - before[key];
    assert.ok(growth < MOST_GROWTH, `${key} grew by ${growth} bytes`);
  }
  assert.equal(sdk.stats().openCalls, 0);
});
