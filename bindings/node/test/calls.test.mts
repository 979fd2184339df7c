// Calls: cancelled, observed, closed.

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import {
  CALL_END,
  CALL_START,
  RonCancelledError,
  RonClosedError,
  RonNotFoundError,
  type CallEnd,
  type CallReport,
  type CallStart,
} from "@ron/app-sdk";
import { gatewayOfThisFile, unique } from "./support.mjs";

const its = gatewayOfThisFile();
const NOBODYS = `b3:${"0".repeat(64)}`;

test("a signal that was aborted before makes no call", async () => {
  await using sdk = its.gateway.client();
  const reason = new Error("changed my mind");
  await assert.rejects(sdk.storagePut("x", { signal: AbortSignal.abort(reason) }), (error) => {
    assert.ok(error instanceof RonCancelledError);
    assert.equal(error.cause, reason);
    assert.equal(error.executed, "no");
    assert.match(error.stack ?? "", /^[^\n]*\n[^\n]*calls\.test\.mjs/);
    return true;
  });
  assert.equal(sdk.stats().connections, 0);
});

test("a signal cancels the calls that have it, at the gateway too, and no others", async () => {
  await using sdk = its.gateway.client();
  const controller = new AbortController();
  const topic = unique("topic");
  const waiting = { waitMs: 10_000, timeoutMs: 20_000 };
  const cancelled = Array.from({ length: 20 }, () =>
    sdk.mailboxReceive(topic, { ...waiting, signal: controller.signal }),
  );
  const other = sdk.mailboxReceive(topic, waiting);
  const ends = Promise.allSettled(cancelled);
  await until(() => sdk.stats().openStreams === 21);
  const began = performance.now();
  controller.abort();
  for (const end of await ends) {
    assert.ok(end.status === "rejected" && end.reason instanceof RonCancelledError);
    assert.equal(end.reason.cause, controller.signal.reason);
  }
  assert.ok(performance.now() - began < 2_000, "it did not wait for the message");
  await sdk.mailboxSend(topic, "for the other");
  assert.equal((await other).length, 1);
  assert.equal(sdk.stats().openCalls, 0);
});

test("a signal that is aborted after the call has ended changes nothing", async () => {
  await using sdk = its.gateway.client();
  const controller = new AbortController();
  const address = await sdk.storagePut("x", { signal: controller.signal });
  controller.abort();
  assert.equal((await sdk.storageGet(address)).toString(), "x");
});

test("a timeout signal ends a call", async () => {
  await using sdk = its.gateway.client();
  const call = sdk.mailboxReceive(unique("topic"), {
    waitMs: 10_000,
    timeoutMs: 20_000,
    signal: AbortSignal.timeout(50),
  });
  await assert.rejects(call, (error) => {
    return error instanceof RonCancelledError && (error.cause as Error).name === "TimeoutError";
  });
});

test("closing waits for open calls, and cuts off those that are open after its time", async () => {
  const patient = its.gateway.client();
  const topic = unique("topic");
  const open = patient.mailboxReceive(topic, { waitMs: 300 });
  await until(() => patient.stats().openStreams === 1);
  assert.equal(await patient.close(), 0);
  assert.deepEqual(await open, []);

  const hasty = its.gateway.client();
  const cutOff = hasty.mailboxReceive(topic, { waitMs: 10_000, timeoutMs: 20_000 });
  const end = assert.rejects(cutOff, RonClosedError);
  await until(() => hasty.stats().openStreams === 1);
  assert.equal(await hasty.close({ timeoutMs: 50 }), 1);
  await end;
});

test("a report says how a call went", async () => {
  await using sdk = its.gateway.client();
  const reports: CallReport[] = [];
  const options = { idempotencyKey: unique("key"), onReport: (report: CallReport): void => void reports.push(report) };
  await sdk.storagePut("reported", options);
  await sdk.storagePut("reported", options);
  assert.deepEqual(
    reports.map(({ attempts, replayed, executed }) => ({ attempts, replayed, executed })),
    [
      { attempts: 1, replayed: false, executed: "yes" },
      { attempts: 1, replayed: true, executed: "yes" },
    ],
  );
  assert.ok(reports.every(({ elapsedMs }) => elapsedMs > 0 && elapsedMs < 5_000));
});

test("retries are counted", async () => {
  await its.gateway.arm([{ fault: "error_before", operation: "storage.put", times: 2 }]);
  await using sdk = its.gateway.client();
  let attempts = 0;
  await sdk.storagePut("retried", { onReport: (report) => (attempts = report.attempts) });
  assert.equal(attempts, 3);
});

test("events say when calls begin and end, and nothing secret", async () => {
  await using sdk = its.gateway.client();
  const [starts, ends]: [CallStart[], CallEnd[]] = [[], []];
  const onStart = (event: unknown): void => void starts.push(event as CallStart);
  const onEnd = (event: unknown): void => void ends.push(event as CallEnd);
  subscribe(CALL_START, onStart);
  subscribe(CALL_END, onEnd);
  const idempotencyKey = unique("canary");
  await sdk.storagePut("canary-body", { idempotencyKey });
  await assert.rejects(sdk.storageGet(NOBODYS), RonNotFoundError);
  unsubscribe(CALL_START, onStart);
  unsubscribe(CALL_END, onEnd);
  await sdk.storagePut("unobserved");
  assert.deepEqual(
    starts.map(({ operation }) => operation),
    ["storagePut", "storageGet"],
  );
  assert.deepEqual(
    ends.map(({ id }) => id),
    starts.map(({ id }) => id),
  );
  assert.equal(ends[0]?.report?.attempts, 1);
  assert.ok(ends[1]?.error instanceof RonNotFoundError);
  const text = JSON.stringify([starts, ends]);
  assert.ok(!text.includes("canary") && !text.includes(its.gateway.capability));
});

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, "it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
