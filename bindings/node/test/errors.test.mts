// Errors: the classes against the core's table, and each kind as a caller meets it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as sdkModule from "@ron/app-sdk";
import { Capability, RonAppSdk, RonError, type ErrorKind } from "@ron/app-sdk";
import type { FaultRule } from "@ron/app-sdk/testing";
import { gatewayOfThisFile, impatient, PACKAGE, unique } from "./support.mjs";

const its = gatewayOfThisFile();
const internal = createRequire(import.meta.url);
const { native } = internal(`${PACKAGE}dist/native.js`) as typeof import("../dist/native.js");
const errors = internal(`${PACKAGE}dist/errors.js`) as {
  errorKinds(): { number: number; kind: ErrorKind; type: typeof RonError }[];
  errorOf(fields: object): RonError;
};

/** Rejects with this kind, whose class it returns. */
async function fails(promise: Promise<unknown>, kind: ErrorKind): Promise<RonError> {
  const error = await promise.then(
    () => assert.fail(`it did not fail as ${kind}`),
    (error: unknown) => error,
  );
  assert.ok(error instanceof RonError, String(error));
  assert.equal(error.kind, kind, error.message);
  assert.equal(error.name, `Ron${kind}Error`);
  assert.equal(error.constructor.name, error.name);
  return error;
}

test("there is a class for each of the core's kinds", () => {
  const kinds = errors.errorKinds().map(({ number, kind }) => ({ number, name: kind }));
  assert.deepEqual(kinds, native.errorKinds());
  const offered: Readonly<Record<string, unknown>> = sdkModule;
  for (const { number, kind, type } of errors.errorKinds()) {
    assert.equal(offered[`Ron${kind}Error`], type, `Ron${kind}Error is exported`);
    const error = errors.errorOf({ kind: number, message: "m", executed: "no", attempts: 0, causes: ["a", "b"] });
    assert.ok(error instanceof type && error instanceof RonError && error instanceof Error);
    assert.match(error.code, /^ERR_RON_[A-Z]+(_[A-Z]+)*$/);
    assert.equal(String(error), `Ron${kind}Error: m`);
    assert.equal((error.cause as Error).message, "a");
    assert.equal(((error.cause as Error).cause as Error).message, "b");
  }
  assert.equal(errors.errorOf({ kind: 999, message: "m", executed: "no", attempts: 0, causes: [] }).kind, "Unknown");
});

test("an error has its code, status, effect, hint and attempts", async () => {
  await its.gateway.arm([{ fault: { rate_limited: { retry_after_ms: 1_500 } }, times: 1 }]);
  await using sdk = impatient(its.gateway);
  const error = await fails(sdk.storagePut("x"), "RateLimited");
  assert.equal(error.code, "ERR_RON_RATE_LIMITED");
  assert.equal(error.status, 429);
  assert.equal(error.executed, "no");
  assert.equal(error.retryAfterMs, 1_500);
  assert.equal(error.attempts, 1);
  assert.equal(error.gaveUp, "attempts");
  assert.match(error.message, /^RateLimited: the gateway answered 429 /);
});

const FAULTS: readonly [ErrorKind, FaultRule, operation: "get" | "put"][] = [
  ["CapabilityExpired", { fault: "capability_expired" }, "put"],
  ["Server", { fault: "error_before" }, "put"],
  ["DeadlineExceeded", { fault: "black_hole" }, "put"],
  ["Transport", { fault: "reset" }, "put"],
  ["OapViolation", { fault: "bad_version" }, "put"],
  ["IntegrityMismatch", { fault: "corrupt_body" }, "get"],
  ["IntegrityMismatch", { fault: "wrong_receipt" }, "put"],
  ["SchemaViolation", { fault: "unknown_field" }, "put"],
  ["Unknown", { fault: "status" }, "put"],
];

for (const [kind, rule, operation] of FAULTS) {
  test(`${JSON.stringify(rule.fault)} into a ${operation} is ${kind}`, async () => {
    await its.gateway.disarm();
    await using sdk = impatient(its.gateway);
    const address = await sdk.storagePut("something");
    const before = (await its.gateway.faults()).total;
    await its.gateway.arm([{ ...rule, operation: `storage.${operation}` }]);
    try {
      const call = operation === "put" ? sdk.storagePut("x", { timeoutMs: 200 }) : sdk.storageGet(address);
      const error = await fails(call, kind);
      assert.ok(error.attempts >= 1);
      assert.ok((await its.gateway.faults()).total > before, "the fault took place");
    } finally {
      await its.gateway.disarm();
    }
  });
}

test("a gateway that falls silent stalls the call", async () => {
  await using sdk = impatient(its.gateway, { timeouts: { readMs: 300 } });
  const address = await sdk.storagePut("x");
  await its.gateway.arm([{ fault: { stalled_frame: {} }, operation: "storage.get" }]);
  try {
    await fails(sdk.storageGet(address, { timeoutMs: 5_000 }), "Stalled");
  } finally {
    await its.gateway.disarm();
  }
});

test("a gateway that is not there, or is not trusted, is said so", async () => {
  const capability = its.gateway.capability;
  await using nowhere = new RonAppSdk({ gatewayAddr: "https://127.0.0.1:1", capability, backoff: { maxAttempts: 1 } });
  const transport = await fails(nowhere.storagePut("x"), "Transport");
  assert.equal(transport.executed, "no");
  await using untrusting = new RonAppSdk({ gatewayAddr: its.gateway.gatewayAddr, capability });
  await fails(untrusting.storagePut("x"), "Tls");
  await fails(RonAppSdk.connect({ gatewayAddr: its.gateway.gatewayAddr }), "Tls");
  await fails(nowhere.connect(), "Transport");
});

test("a capability that does not allow a call is denied", async () => {
  await using sdk = its.gateway.client();
  const capability = Capability.from(its.gateway.capability).attenuate("op=storage.get");
  await fails(sdk.storagePut("x", { capability }), "CapabilityDenied");
});

test("arguments are refused before anything is sent", async () => {
  await using sdk = its.gateway.client();
  const wrong = undefined as unknown as string;
  const address = `b3:${"0".repeat(64)}`;
  for (const [call, field] of [
    [() => sdk.storageGet("b3:12"), "address"],
    [() => sdk.storageGet(wrong), "address"],
    [() => sdk.storagePut(12 as unknown as string), "body"],
    [() => sdk.storagePut("x", { idempotencyKey: "ä" }), "idempotencyKey"],
    [() => sdk.storagePut("x", { timeoutMs: -1 }), "timeoutMs"],
    [() => sdk.storagePut("x", { timeoutMs: Number.NaN }), "timeoutMs"],
    [() => sdk.storageGetRange(address, { first: 2, last: 1 }), "range"],
    [() => sdk.storageGetRange(address, { first: 0.5, last: 1 }), "range"],
    [() => sdk.storageGetRange(address, { first: -1, last: 1 }), "range"],
    [() => sdk.storageGetRange(address, { first: 0, last: 2 ** 53 }), "range"],
    [() => sdk.mailboxSend("Topic", "x"), "topic"],
    [() => sdk.mailboxSend("topic", "x", { attributes: { A: "b" } }), "attributes"],
    [() => sdk.mailboxReceive("topic", { max: 1.5 }), "max"],
    [() => sdk.mailboxReceive("topic", { visibilityMs: Infinity }), "visibilityMs"],
    [() => sdk.indexResolve(".name"), "name"],
    [() => sdk.indexPublish("name", address, { expected: "present" }), "expected"],
  ] as const) {
    const error = await fails(call(), "SchemaViolation");
    assert.match(error.message, new RegExp(`^SchemaViolation: ${field}: `));
    assert.equal(error.attempts, 0);
    assert.equal(error.executed, "no");
  }
  assert.equal(sdk.stats().connections, 0, "nothing was sent");
  await fails(new RonAppSdk({ ...its.gateway.options, capability: undefined as never }).storageHead(address), "SchemaViolation");
});

test("a capability's file that is not there is the cause of the error", async () => {
  await using sdk = its.gateway.client({ capability: Capability.fromFile("/nowhere/capability") });
  const error = await fails(sdk.storagePut("x"), "Config");
  assert.match((error.cause as Error).message, /No such file/);
});

test("more calls than a client takes are refused", async () => {
  await its.gateway.arm([{ fault: "black_hole", operation: "storage.head" }]);
  const sdk = its.gateway.client();
  const address = `b3:${"0".repeat(64)}`;
  const open = Array.from({ length: 1_024 + 16_384 }, () => sdk.storageHead(address, { timeoutMs: 60_000 }));
  const all = Promise.allSettled(open);
  try {
    await fails(sdk.storageHead(address), "Busy");
  } finally {
    await its.gateway.disarm();
    assert.equal(await sdk.close({ timeoutMs: 0 }), open.length);
  }
  const kinds = (await all).map((end) => (end.status === "rejected" ? (end.reason as RonError).kind : "none"));
  assert.deepEqual([...new Set(kinds)], ["Closed"]);
});

test("an object above the limit is refused with its length", async () => {
  await using sdk = its.gateway.client();
  const error = await fails(sdk.storagePut(new Uint8Array(1_015_809)), "TooLarge");
  assert.match(error.message, /1015809 bytes/);
});

test("a closed client takes no calls", async () => {
  const sdk = its.gateway.client();
  assert.equal(await sdk.close(), 0);
  await fails(sdk.storagePut("x"), "Closed");
  assert.equal(await sdk.close(), 0, "it can be closed again");
});

test("the stack begins where the call was made", async () => {
  await using sdk = its.gateway.client();
  async function theCaller(): Promise<unknown> {
    return await sdk.storageGet(`b3:${"0".repeat(64)}`);
  }
  const missing = await fails(theCaller(), "NotFound");
  const [head, first] = missing.stack?.split("\n") ?? [];
  assert.equal(head, `RonNotFoundError: ${missing.message}`);
  assert.match(first ?? "", /at async theCaller .*errors\.test\.mjs/);
  async function awaitsMany(): Promise<unknown> {
    return await Promise.all([sdk.mailboxReceive("topic", { max: 1 }), sdk.indexResolve(unique("name"))]);
  }
  assert.match((await fails(awaitsMany(), "NotFound")).stack ?? "", /at async awaitsMany .*errors\.test\.mjs/);
  async function receives(): Promise<unknown> {
    return await sdk.mailboxReceive("topic", { capability: Capability.from(its.gateway.capability).attenuate("op=index.resolve") });
  }
  assert.match((await fails(receives(), "CapabilityDenied")).stack ?? "", /at async receives .*errors\.test\.mjs/);
  const argument = await fails(sdk.storageGet("b3:1"), "SchemaViolation");
  assert.match(argument.stack ?? "", /^[^\n]*\n[^\n]*errors\.test\.mjs/);
  assert.throws(
    () => new RonAppSdk({ pool: { max: 99 } }),
    (error: RonError) => /^[^\n]*\n[^\n]*errors\.test\.mjs/.test(error.stack ?? ""),
  );
});

test("nothing secret is in an error, a capability or a lease as they are shown", async () => {
  const { inspect } = await import("node:util");
  await using sdk = its.gateway.client();
  const capability = Capability.from(its.gateway.capability);
  const secret = its.gateway.capability;
  assert.ok(!`${inspect(capability)} ${String(capability)} ${JSON.stringify({ capability })}`.includes(secret));
  assert.equal(capability.expose(), secret);
  const topic = unique("topic");
  const idempotencyKey = unique("canary");
  await sdk.mailboxSend(topic, "x", { idempotencyKey });
  const error = await fails(sdk.mailboxSend(topic, "canary", { idempotencyKey }), "Conflict");
  assert.ok(!inspect(error).includes("canary"));
  const [message] = await sdk.mailboxReceive(topic);
  assert.ok(message);
  assert.ok(!`${inspect(message)} ${JSON.stringify(message)}`.includes(message.lease.expose()));
});
