// `@ron/app-sdk/testing`, and how the native part is found.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Gateway } from "@ron/app-sdk/testing";
import { PACKAGE, run } from "./support.mjs";

const internal = createRequire(import.meta.url);
const { load } = internal(`${PACKAGE}dist/native.js`) as {
  load(platform: string, requires?: (name: string) => unknown): unknown;
};
const { platformName } = internal(`${PACKAGE}dist/platforms.js`) as {
  platformName(platform?: string, arch?: string): string;
};
const { findBinary } = internal(`${PACKAGE}dist/testing.js`) as { findBinary(env: object): string };

test("a gateway fails as often as it is told to, and counts it", async () => {
  await using gateway = await Gateway.start({ faults: { error5xx: 0.3, latencyMs: [1, 2, 3], seed: 7 } });
  await using sdk = gateway.client();
  for (let index = 0; index < 40; index += 1) {
    await sdk.storagePut(`object ${index}`);
  }
  const report = await gateway.faults();
  assert.equal(report.seed, 7);
  assert.ok((report.fired["error_before"] ?? 0) >= 5, JSON.stringify(report.fired));
  assert.ok((report.fired["latency"] ?? 0) >= 40);
  assert.equal((await gateway.disarm()).total, report.total);
});

test("wrong faults end the start with what is wrong", async () => {
  await assert.rejects(Gateway.start({ faults: { error5xx: 2 } }), /ended with .* before it served: .*5XX/s);
  await using gateway = await Gateway.start();
  await assert.rejects(gateway.arm([{ fault: "nonsense" }]), /refused the faults with 400/);
});

test("a gateway ends when it is stopped, and can be stopped again", async () => {
  const gateway = await Gateway.start();
  await using sdk = gateway.client({ backoff: { maxAttempts: 1 } });
  await sdk.storagePut("x");
  await gateway.stop();
  await gateway.stop();
  await assert.rejects(sdk.storagePut("y"), { code: "ERR_RON_TRANSPORT" });
});

test("a gateway ends with the process that started it, and does not keep it", async () => {
  const source = (end: string): string => `
    require("@ron/app-sdk/testing").Gateway.start().then((gateway) => {
      console.log(gateway.gatewayAddr);
      ${end}
    });`;
  for (const end of ["", 'process.kill(process.pid, "SIGKILL");']) {
    const ended = await run(source(end), {});
    assert.deepEqual([ended.code, ended.signal], end === "" ? [0, null] : [null, "SIGKILL"], ended.output);
    const address = ended.output.trim();
    await until(async () => fetch(address).then(() => false, (error: unknown) => isRefused(error)));
  }
});

test("a program that is not there is said so", async () => {
  await assert.rejects(Gateway.start({ binary: "/nowhere/ron-gateway" }), /cannot be run: .*ENOENT; set RON_GATEWAY_BIN/);
  await assert.rejects(Gateway.start({ binary: "false" }), /false ended with 1 before it served/);
});

test("the program is what RON_GATEWAY_BIN names, or on the PATH", () => {
  assert.equal(findBinary({ RON_GATEWAY_BIN: "/some/gateway", PATH: "" }), "/some/gateway");
  const folder = mkdtempSync(join(tmpdir(), "ron-bin-"));
  symlinkSync("/bin/true", join(folder, "ron-gateway"));
  assert.equal(findBinary({ PATH: `/nowhere:${folder}` }), join(folder, "ron-gateway"));
  rmSync(folder, { recursive: true });
  assert.throws(() => findBinary({ PATH: dirname(folder) }), /npm install --save-dev @ron\/gateway-.*RON_GATEWAY_BIN/);
});

function notFound(name: string): never {
  throw Object.assign(new Error(`Cannot find module '${name}'`), { code: "MODULE_NOT_FOUND" });
}

test("a native part that is missing is named, with the fix", () => {
  assert.throws(() => load("linux-x64-gnu", notFound), /@ron\/app-sdk-linux-x64-gnu is missing: .*npm install @ron\/app-sdk-linux-x64-gnu/);
  assert.throws(() => load("plan9-mips"), /no package for plan9-mips; there are packages for linux-x64-gnu, /);
  assert.equal(platformName("darwin", "arm64"), "darwin-arm64");
});

test("a native part that cannot be loaded is not taken for a missing one", () => {
  const broken = (name: string): never => {
    if (name.startsWith("@ron/")) {
      throw new Error("GLIBC_2.99 not found");
    }
    return notFound(name);
  };
  assert.throws(() => load("linux-x64-gnu", broken), /is installed and cannot be loaded: GLIBC_2\.99 not found; reinstall it/);
});

function isRefused(error: unknown): boolean {
  const cause = (error as { cause?: { code?: string } }).cause;
  return cause?.code === "ECONNREFUSED";
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
