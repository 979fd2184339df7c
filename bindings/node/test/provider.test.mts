// Functions that are asked for a capability.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import {
  Capability,
  RonAppSdk,
  RonCapabilityDeniedError,
  RonCapabilityExpiredError,
  RonDeadlineExceededError,
  RonSchemaViolationError,
  type CapabilityProvider,
} from "@ron/app-sdk";
import { gatewayOfThisFile } from "./support.mjs";

const its = gatewayOfThisFile();

function expired(): Capability {
  return Capability.from(its.gateway.capability).attenuate("exp<1000000000");
}

/** Hands out these, one after the other. */
function asked(...capabilities: (Capability | string)[]): CapabilityProvider & { count: () => number } {
  let count = 0;
  const next = (): Capability | string => {
    count += 1;
    const capability = capabilities.shift();
    assert.ok(capability !== undefined, "it is asked too often");
    return capability;
  };
  return Object.assign(next, { count: () => count });
}

test("it is asked first, and when the capability has expired", async () => {
  const capability = asked(expired(), its.gateway.capability);
  await using sdk = its.gateway.client({ capability });
  assert.equal(capability.count(), 0);
  const address = await sdk.storagePut("x");
  assert.equal((await sdk.storageGet(address)).toString(), "x");
  assert.equal(capability.count(), 2);
});

test("an asynchronous function is asked once, however many calls wait", async () => {
  let count = 0;
  const capability = async (): Promise<string> => {
    count += 1;
    await sleep(50);
    return its.gateway.capability;
  };
  await using sdk = its.gateway.client({ capability });
  const addresses = await Promise.all(Array.from({ length: 64 }, () => sdk.storagePut("x")));
  assert.equal(new Set(addresses).size, 1);
  assert.equal(count, 1);
});

test("clients and calls share one", async () => {
  const provider = asked(its.gateway.capability);
  const capability = Capability.fromProvider(provider);
  await using one = its.gateway.client({ capability });
  await using other = new RonAppSdk({ gatewayAddr: its.gateway.gatewayAddr, tls: { ca: its.gateway.ca } });
  await one.storagePut("x");
  await other.storagePut("x", { capability });
  assert.equal(provider.count(), 1);
  assert.equal(capability.expose(), undefined);
  assert.equal(String(capability), "Capability(redacted)");
});

test("what it throws is the cause", async () => {
  const thrown = new RangeError("no token today");
  const capability = (): never => {
    throw thrown;
  };
  await using sdk = its.gateway.client({ capability });
  await assert.rejects(sdk.storagePut("x"), (error) => error instanceof RonCapabilityDeniedError && error.cause === thrown);
  const rejected = its.gateway.client({ capability: () => Promise.reject(thrown) });
  await assert.rejects(rejected.storagePut("x"), (error) => error instanceof RonCapabilityDeniedError && error.cause === thrown);
  const tokens: (Capability | string)[] = [expired()];
  const later = its.gateway.client({
    capability: () => {
      const token = tokens.shift();
      if (token === undefined) {
        throw thrown;
      }
      return token;
    },
  });
  await assert.rejects(later.storagePut("x"), (error) => error instanceof RonCapabilityExpiredError && error.cause === thrown);
  // The next one asks again.
  tokens.push(its.gateway.capability);
  assert.match(await later.storagePut("x"), /^b3:/);
});

test("what is no capability is refused, and not repeated", async () => {
  const wrongs: unknown[] = [undefined, 7, "canary", () => "x", Capability.fromFile("/nowhere")];
  for (const wrong of wrongs) {
    const sdk = its.gateway.client({ capability: () => wrong as string });
    await assert.rejects(sdk.storagePut("x"), (error) => {
      assert.ok(error instanceof RonCapabilityDeniedError);
      assert.ok(error.cause instanceof Error);
      assert.doesNotMatch(`${error.message} ${error.cause.message}`, /canary/);
      return true;
    });
  }
  assert.throws(() => Capability.fromProvider(7 as unknown as CapabilityProvider), RonSchemaViolationError);
});

test("calls wait within their limits", async () => {
  let release: (token: string) => void = () => undefined;
  const capability = (): Promise<string> => new Promise((resolve) => (release = resolve));
  await using sdk = its.gateway.client({ capability });
  await assert.rejects(sdk.storagePut("x", { timeoutMs: 100 }), RonDeadlineExceededError);
  const put = sdk.storagePut("x");
  release(its.gateway.capability);
  assert.match(await put, /^b3:/);
});
