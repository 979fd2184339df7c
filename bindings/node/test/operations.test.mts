// Every operation, against the real gateway.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  Capability,
  Lease,
  RonAppSdk,
  RonCancelledError,
  RonConfigError,
  RonConflictError,
  RonNotFoundError,
  RonRangeNotSatisfiableError,
  RonStaleLeaseError,
  RonTransportError,
  type CallReport,
} from "@ron/app-sdk";
import { gatewayOfThisFile, unique } from "./support.mjs";

const edgeRoot = mkdtempSync(join(tmpdir(), "ron-edge-"));
writeFileSync(join(edgeRoot, "page.txt"), "0123456789");
after(() => {
  rmSync(edgeRoot, { recursive: true });
});
const its = gatewayOfThisFile({ edgeRoot });

test("an object is stored, fetched, measured and fetched in part", async () => {
  await using sdk = its.gateway.client();
  const body = Buffer.from(unique("object"));
  const address = await sdk.storagePut(body);
  assert.match(address, /^b3:[0-9a-f]{64}$/);
  assert.deepEqual(await sdk.storageGet(address), body);
  assert.deepEqual(await sdk.storageHead(address), { address, size: body.length });
  const part = await sdk.storageGetRange(address, { first: 1, last: 3 });
  assert.deepEqual(part, { bytes: body.subarray(1, 4), first: 1, last: 3, size: body.length });
  const end = await sdk.storageGetRange(address, { first: 5, last: 5_000 });
  assert.equal(end.last, body.length - 1);
});

test("objects of every length come back as they were", async () => {
  await using sdk = its.gateway.client();
  for (const length of [0, 1, 8_192, 32_767, 32_768, 65_536, 1_015_808]) {
    const body = new Uint8Array(length).map((_, index) => index % 251);
    const address = await sdk.storagePut(body);
    const bytes = await sdk.storageGet(address);
    assert.ok(Buffer.isBuffer(bytes));
    assert.equal(Buffer.compare(bytes, body), 0, `${length} bytes`);
    // It is the caller's own.
    bytes.fill(7);
    assert.equal(Buffer.compare(await sdk.storageGet(address), body), 0, `${length} bytes again`);
  }
});

test("what a caller writes to a cached object stays with that caller", async () => {
  await using sdk = its.gateway.client({ cache: { enabled: true } });
  const address = await sdk.storagePut(new Uint8Array(65_536).fill(1));
  let report: CallReport | undefined;
  (await sdk.storageGet(address)).fill(2);
  const again = await sdk.storageGet(address, { onReport: (given) => (report = given) });
  assert.equal(report?.attempts, 0, "it came from the cache");
  assert.ok(again.every((byte) => byte === 1));
});

test("text, views and shared memory can be stored", async () => {
  await using sdk = its.gateway.client();
  assert.deepEqual(await sdk.storageGet(await sdk.storagePut("ä text")), Buffer.from("ä text"));
  const view = new Uint8Array(Uint8Array.from([1, 2, 3, 4]).buffer, 1, 2);
  assert.deepEqual([...(await sdk.storageGet(await sdk.storagePut(view)))], [2, 3]);
  const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(9);
  assert.deepEqual([...(await sdk.storageGet(await sdk.storagePut(shared)))], [9, 9, 9]);
});

test("a body that changes after the call has begun changes nothing", async () => {
  await using sdk = its.gateway.client();
  const body = Buffer.from(unique("before"));
  const before = Buffer.from(body);
  const stored = sdk.storagePut(body);
  body.fill(0);
  assert.deepEqual(await sdk.storageGet(await stored), before);
});

test("the edge serves objects by path, whole and in part", async () => {
  await using sdk = its.gateway.client();
  assert.equal((await sdk.edgeGet("/page.txt")).toString(), "0123456789");
  assert.equal((await sdk.edgeGet("/page.txt", { range: { first: 2, last: 4 } })).toString(), "234");
  const info = await sdk.edgeHead("/page.txt");
  assert.equal(info.size, 10);
  await assert.rejects(sdk.edgeGet("/page.txt", { range: { first: 10, last: 11 } }), RonRangeNotSatisfiableError);
  await assert.rejects(sdk.edgeGet("/nowhere"), RonNotFoundError);
});

test("a message goes through its life", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  const receipt = await sdk.mailboxSend(topic, "hello", { attributes: { kind: "greeting" } });
  assert.equal(receipt.duplicate, false);
  const [message] = await sdk.mailboxReceive(topic, { max: 5, waitMs: 1_000, visibilityMs: 10_000 });
  assert.ok(message);
  assert.equal(message.id, receipt.id);
  assert.equal(message.topic, topic);
  assert.equal(message.body.toString(), "hello");
  assert.deepEqual(message.attributes, { kind: "greeting" });
  assert.equal(message.attempt, 1);
  assert.ok(Math.abs(message.sentAt.getTime() - Date.now()) < 60_000);
  assert.equal(message.dead, undefined);
  await sdk.mailboxExtend(message, 20_000);
  assert.deepEqual(await sdk.mailboxReceive(topic), [], "nobody else has it");
  await sdk.mailboxNack(message, { delayMs: 0 });
  const [again] = await sdk.mailboxReceive(topic, { waitMs: 1_000 });
  assert.equal(again?.attempt, 2);
  await assert.rejects(sdk.mailboxAck(message), RonStaleLeaseError);
  // A lease that was kept elsewhere.
  await sdk.mailboxAck(new Lease(topic, again.id, again.lease.expose()));
  assert.deepEqual(await sdk.mailboxReceive(topic), []);
});

test("an attribute may have any name that the rule allows", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  const attributes = Object.fromEntries([["__proto__", "a"], ["constructor", "b"], ["1", "c"]]);
  await sdk.mailboxSend(topic, "hello", { attributes });
  const [message] = await sdk.mailboxReceive(topic, { waitMs: 1_000 });
  assert.deepEqual(Object.entries(message?.attributes ?? {}).sort(), Object.entries(attributes).sort());
});

test("a message under the same key is sent once", async () => {
  await using sdk = its.gateway.client();
  const [topic, idempotencyKey] = [unique("topic"), unique("key")];
  const first = await sdk.mailboxSend(topic, "once", { idempotencyKey });
  const second = await sdk.mailboxSend(topic, "once", { idempotencyKey });
  assert.deepEqual(second, { id: first.id, duplicate: true });
  await assert.rejects(sdk.mailboxSend(topic, "twice", { idempotencyKey }), RonConflictError);
});

test("a capability for one topic names the topic", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  const capability = Capability.from(its.gateway.capability).attenuate(`topic=${topic}`);
  await sdk.mailboxSend(topic, "hello");
  const [message] = await sdk.mailboxRecv({ capability, timeoutMs: 2_000 });
  assert.equal(message?.topic, topic);
});

test("a name stands for an address, by compare and set", async () => {
  await using sdk = its.gateway.client();
  const name = unique("name");
  const [one, two] = [await sdk.storagePut("1.0"), await sdk.storagePut("1.1")];
  await assert.rejects(sdk.indexResolve(name), RonNotFoundError);
  await sdk.indexPublish(name, one, { expected: "absent" });
  await assert.rejects(sdk.indexPublish(name, two, { expected: "absent" }), RonConflictError);
  await sdk.indexPublish(name, two, { expected: one });
  assert.equal(await sdk.indexResolve(name), two);
  await sdk.indexPublish(name, one);
  assert.equal(await sdk.indexResolve(name), one);
});

test("a client connects without a call's capability, and says what it has", async () => {
  await using sdk = its.gateway.client();
  assert.deepEqual(sdk.stats(), {
    openCalls: 0,
    connections: 0,
    waitingCalls: 0,
    openStreams: 0,
    unsentBytes: 0,
    cachedObjects: 0,
    cachedBytes: 0,
  });
  await sdk.storagePut("x");
  assert.equal(sdk.stats().connections, 1);
});

test("a client that connects has reached its gateway, without a capability", async () => {
  const { gatewayAddr, tls } = its.gateway.options as { gatewayAddr: string; tls: { ca: string } };
  let report: CallReport | undefined;
  await using sdk = await RonAppSdk.connect({ gatewayAddr, tls }, { onReport: (given) => (report = given) });
  assert.deepEqual([sdk.stats().connections, sdk.stats().openStreams], [1, 0]);
  assert.deepEqual([report?.attempts, report?.executed], [1, "no"]);
  await sdk.connect({ timeoutMs: 1_000 });
  assert.equal(sdk.stats().connections, 1);
  await assert.rejects(sdk.connect({ signal: AbortSignal.abort() }), RonCancelledError);
  await assert.rejects(sdk.connect({ timeoutMs: 0 }), RonConfigError);
});

test("a client says whether it is ready", async () => {
  await using sdk = its.gateway.client();
  const before = sdk.ready();
  assert.deepEqual([before.isReady, before.config.state, before.tor.state, before.transport.state], [false, "ok", "not_applicable", "unknown"]);
  assert.equal((await sdk.probe({ timeoutMs: 5_000 })).isReady, true);
  assert.deepEqual(sdk.ready().transport, { state: "ok", error: undefined });
  await using nowhere = its.gateway.client({ gatewayAddr: "https://127.0.0.1:1", backoff: { maxAttempts: 1 } });
  const { isReady, transport } = await nowhere.probe();
  assert.deepEqual([isReady, transport.state, transport.error instanceof RonTransportError], [false, "failed", true]);
  await assert.rejects(sdk.probe({ timeoutMs: 0 }), RonConfigError);
});

test("metrics count what was called", async () => {
  await using sdk = its.gateway.client();
  assert.equal(sdk.metrics()["sdk_requests_total"], undefined);
  await sdk.storageGet(await sdk.storagePut("12345"));
  await assert.rejects(sdk.indexResolve("nobody.knows"), RonNotFoundError);
  const metrics = sdk.metrics();
  const requests = (metrics["sdk_requests_total"] ?? []).map(({ labels, value }) => `${Object.values(labels).join(" ")} ${value}`);
  assert.deepEqual(requests.sort(), ["index.resolve NotFound 404 1", "storage.get ok 200 1", "storage.put ok 200 1"]);
  assert.deepEqual(metrics["sdk_storage_put_bytes_total"], [{ labels: {}, value: 5 }]);
  const text = sdk.metricsText();
  assert.match(text, /^sdk_requests_total\{endpoint="storage\.put",outcome="ok",code="200"\} 1$/m);
  // The data has every number of the text.
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.equal(lines.length, Object.values(metrics).flat().length);
});

test("a client of the environment calls with its capability", async () => {
  await using sdk = RonAppSdk.fromEnv({}, its.gateway.variables);
  assert.match(await sdk.storagePut("x"), /^b3:/);
});

test("many calls at once end each with its own", async () => {
  await using sdk = its.gateway.client();
  const bodies = Array.from({ length: 300 }, (_, index) => `object ${index}`);
  const addresses = await Promise.all(bodies.map((body) => sdk.storagePut(body)));
  assert.equal(new Set(addresses).size, bodies.length);
  const objects = await Promise.all(addresses.map((address) => sdk.storageGet(address)));
  assert.deepEqual(objects.map(String), bodies);
});
