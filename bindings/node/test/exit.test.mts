// When the process ends, and that it ends well.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayOfThisFile, run } from "./support.mjs";

const its = gatewayOfThisFile();
const CLIENT = `
  const { RonAppSdk } = require("@ron/app-sdk");
  const sdk = RonAppSdk.fromEnv();
`;

test("an idle client does not keep the process", async () => {
  const ended = await run(`${CLIENT} sdk.storagePut("x").then((address) => console.log(address));`, its.gateway.variables);
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.output);
  assert.match(ended.output, /^b3:/);
});

test("a client that has made no call does not keep it either", async () => {
  const ended = await run(CLIENT, its.gateway.variables);
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.output);
});

test("an open call keeps the process", async () => {
  const source = `${CLIENT}
    sdk.mailboxReceive("quiet", { waitMs: 700 }).then((messages) => console.log("messages", messages.length));`;
  const ended = await run(source, its.gateway.variables);
  assert.deepEqual([ended.code, ended.output], [0, "messages 0\n"]);
  assert.ok(ended.elapsedMs >= 600, `it ended after ${ended.elapsedMs} ms`);
});

test("a call that follows an idle time keeps it again", async () => {
  const source = `${CLIENT}
    sdk.storagePut("x").then(() => setTimeout(() => {
      sdk.mailboxReceive("quiet", { waitMs: 300 }).then(() => console.log("done"));
    }, 100));`;
  const ended = await run(source, its.gateway.variables);
  assert.deepEqual([ended.code, ended.output], [0, "done\n"]);
});

test("a client that is not closed and not used any more can be collected", async () => {
  const source = `
    const { RonAppSdk } = require("@ron/app-sdk");
    (async () => {
      for (let index = 0; index < 50; index += 1) await RonAppSdk.fromEnv().storagePut("x");
      require("node:v8").setFlagsFromString("--expose-gc");
      const gc = require("node:vm").runInNewContext("gc");
      for (let index = 0; index < 20; index += 1) { gc(); await new Promise((go) => setTimeout(go, 10)); }
      const sockets = require("node:fs").readdirSync("/proc/self/fd").filter((fd) => {
        try { return require("node:fs").readlinkSync("/proc/self/fd/" + fd).startsWith("socket:"); } catch { return false; }
      });
      console.log("sockets", sockets.length <= 5 ? "few" : sockets.length);
    })();`;
  const ended = await run(source, its.gateway.variables);
  assert.deepEqual([ended.code, ended.output], [0, "sockets few\n"]);
});

/** Ways to end with calls open. */
const ENDS = {
  "process.exit": "setTimeout(() => process.exit(0), DELAY);",
  "process.exit at once": "process.exit(0);",
  "process.exit in a completion": 'sdk.storagePut("last").then(() => process.exit(0));',
  "an uncaught exception": 'process.on("exit", () => { process.exitCode = 0; }); setTimeout(() => { throw new Error("uncaught"); }, DELAY);',
};
const RUNS = 12;

for (const [name, end] of Object.entries(ENDS)) {
  test(`${RUNS} processes end with calls open by ${name}`, async () => {
    for (let index = 0; index < RUNS; index += 1) {
      const source = `${CLIENT}
        const silent = () => {};
        for (let index = 0; index < 32; index += 1) {
          sdk.storagePut(Buffer.alloc(65536, index)).then((address) => sdk.storageGet(address)).catch(silent);
          sdk.mailboxReceive("quiet", { waitMs: 5000, timeoutMs: 9000 }).catch(silent);
        }
        ${end.replace("DELAY", String(index * 3))}`;
      const ended = await run(source, its.gateway.variables);
      assert.equal(ended.signal, null, ended.output);
      assert.equal(ended.code, 0, ended.output);
      assert.ok(ended.elapsedMs < 4_000, `it waited for the calls: ${ended.elapsedMs} ms`);
    }
  });
}
