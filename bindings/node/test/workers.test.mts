// Many clients in many worker threads, each with a queue of its own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { gatewayOfThisFile, PACKAGE, run } from "./support.mjs";

const its = gatewayOfThisFile();

function worker(body: string): Worker {
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { RonAppSdk } = require(workerData.sdk);
    const clients = Array.from({ length: 4 }, () => RonAppSdk.fromEnv({}, workerData.variables));
    ${body}`;
  return new Worker(source, { eval: true, workerData: { sdk: `${PACKAGE}dist/index.js`, variables: its.gateway.variables } });
}

test("workers call at the same time and end by themselves", async () => {
  const workers = Array.from({ length: 8 }, (_, index) =>
    worker(`
      (async () => {
        const addresses = await Promise.all(Array.from({ length: 200 }, (_, call) =>
          clients[call % clients.length].storagePut("worker ${index} call " + call)));
        const objects = await Promise.all(addresses.map((address, call) => clients[call % clients.length].storageGet(address)));
        parentPort.postMessage(objects.every((object, call) => object.toString() === "worker ${index} call " + call));
      })();`),
  );
  const results = await Promise.all(
    workers.map(async (one) => {
      const [[isRight], [code]] = (await Promise.all([once(one, "message"), once(one, "exit")])) as [[boolean], [number]];
      return isRight && code === 0;
    }),
  );
  assert.deepEqual(new Set(results), new Set([true]));
});

test("workers are terminated with calls open, again and again", async () => {
  for (let round = 0; round < 10; round += 1) {
    const workers = Array.from({ length: 4 }, () =>
      worker(`
        for (const sdk of clients) {
          for (let call = 0; call < 16; call += 1) {
            sdk.storagePut(Buffer.alloc(65536, call)).then((address) => sdk.storageGet(address)).catch(() => {});
            sdk.mailboxReceive("quiet", { waitMs: 5000, timeoutMs: 9000 }).catch(() => {});
          }
        }
        parentPort.postMessage("open");`),
    );
    await Promise.all(workers.map((one) => once(one, "message")));
    await new Promise((resolve) => setTimeout(resolve, round * 3));
    await Promise.all(workers.map((one) => one.terminate()));
  }
});

test("a process whose only clients were in workers ends well", async () => {
  const source = `
    const { Worker } = require("node:worker_threads");
    const body = \`
      const { RonAppSdk } = require("@ron/app-sdk");
      const sdk = RonAppSdk.fromEnv();
      sdk.storagePut("x").then((address) => sdk.storageGet(address)).then((object) => console.log(String(object)));
    \`;
    const rounds = async () => {
      for (let round = 0; round < 5; round += 1) {
        await Promise.all([0, 1, 2].map(() => new Promise((resolve) => new Worker(body, { eval: true }).once("exit", resolve))));
      }
    };
    rounds().then(() => setTimeout(() => console.log("end"), 50));`;
  const ended = await run(source, its.gateway.variables);
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.output);
  assert.equal(ended.output, `${"x\n".repeat(15)}end\n`);
});
