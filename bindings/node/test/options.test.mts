// Settings: none is missing, and each arrives.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { RonAppSdk, RonConfigError, type Settings } from "@ron/app-sdk";
import { PACKAGE } from "./support.mjs";

const internal = createRequire(import.meta.url);
const { native } = internal(`${PACKAGE}dist/native.js`) as typeof import("../dist/native.js");
const options = internal(`${PACKAGE}dist/options.js`) as {
  SETTINGS: Readonly<Record<string, string>>;
  flatten(settings: object): string[];
  environmentSettings(variables: object): string[];
};

const EVERY: Required<Settings> = {
  transport: "tls",
  gatewayAddr: "https://gateway.example",
  overallTimeoutMs: 1_000,
  timeouts: { connectMs: 100, readMs: 200, writeMs: 300 },
  tls: { ca: "/ca.pem" },
  proxy: "socks5h://user:password@proxy.example:1080",
  tor: { socksAddr: "[::1]:9150" },
  pool: { max: 2 },
  backoff: { baseMs: 20, factor: 1.5, capMs: 700, maxAttempts: 3 },
  idempotency: { enabled: false },
  cache: { enabled: true, maxEntries: 7, maxBytes: 1_024, ttlMs: 5_000, verifyPuts: false },
};

test("every setting of the core has an option", () => {
  const names = native.settings().map((setting) => setting.name);
  assert.deepEqual(Object.values(options.SETTINGS).sort(), names.sort());
});

test("every option arrives at the core", () => {
  const flat = options.flatten({ ...EVERY, tls: { ca: "/ca.pem", pin: "sha256:00" } });
  const names = native.settings().map((setting) => setting.name);
  assert.deepEqual(flat.filter((_, index) => index % 2 === 0).sort(), names.sort());
  // The core takes them all.
  assert.equal(new RonAppSdk(EVERY).stats().openCalls, 0);
});

test("an option that breaks its rule is refused with its name", () => {
  for (const [wrong, message] of [
    [{ pool: { max: 17 } }, /pool\.max: 17 is not from 1 to 16/],
    [{ timeouts: { connectMs: 1.5 } }, /timeouts\.connect_ms: "1\.5" is not a whole number/],
    [{ gatewayAddr: "http://a" }, /gateway_addr: "http:\/\/a" does not start/],
    [{ pool: { most: 1 } }, /pool\.most: no such setting; there are gatewayAddr, /],
    [{ tls: { ca: "a", pin: `sha256:${"ab".repeat(32)}` } }, /tls\.pin/],
    [{ transport: "tcp" }, /transport: "tcp" is not tls or tor/],
    [{ proxy: "user:password" }, /proxy: the value, not shown here, is not a text that begins with http:/],
    [{ proxy: "http://proxy:1", transport: "tor" }, /proxy: Tor is the proxy/],
    [{ tor: { socksAddr: "192.0.2.1:9050" } }, /tor\.socks_addr: 192\.0\.2\.1:9050 is not a port of a loopback/],
    [{ cache: { enabled: "perhaps" } }, /"perhaps" is not true or false/],
  ] as const) {
    assert.throws(
      () => new RonAppSdk(wrong as Settings),
      (error) => error instanceof RonConfigError && message.test(error.message),
      JSON.stringify(wrong),
    );
  }
});

test("the environment sets what the options leave out", () => {
  const variables = { RON_SDK_POOL_MAX: "2", RON_SDK_BACKOFF_FACTOR: "", RON_SDK_TIMEOUTS_READ_MS: "250" };
  assert.deepEqual(options.environmentSettings(variables), ["timeouts.read_ms", "250", "pool.max", "2"]);
  const bad = { RON_SDK_POOL_MAX: "99" };
  const capability = "irrelevant";
  assert.throws(() => RonAppSdk.fromEnv({ capability }, bad), RonConfigError);
  assert.throws(() => RonAppSdk.fromEnv({}, {}), /capability/);
});
