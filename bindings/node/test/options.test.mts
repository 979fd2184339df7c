// Settings: none is missing, and each arrives.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Capability, RonAppSdk, RonConfigError, type Settings } from "@ron/app-sdk";
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
  fallbackAddrs: ["https://b", "https://c:1"],
  overallTimeoutMs: 1_000,
  timeouts: { connectMs: 100, readMs: 200, writeMs: 300 },
  tls: { ca: "/ca.pem", clientCert: "/client.pem", clientKey: "/client.key" },
  proxy: "socks5h://user:password@proxy.example:1080",
  tor: { socksAddr: "[::1]:9150" },
  pool: { max: 2 },
  backoff: { baseMs: 20, factor: 1.5, capMs: 700, maxAttempts: 3 },
  idempotency: { enabled: false },
  cache: { enabled: true, maxEntries: 7, maxBytes: 1_024, ttlMs: 5_000, verifyPuts: false },
  tracing: { enabled: false },
};

test("every setting of the core has an option", () => {
  const names = native.settings().map((setting) => setting.name);
  assert.deepEqual(Object.values(options.SETTINGS).sort(), names.sort());
});

/** The options as texts of the core, by their names there. */
function texts(settings: object): Record<string, string> {
  const found = native.NativeClient.texts({ options: options.flatten(settings) });
  assert.ok(Array.isArray(found), JSON.stringify(found));
  return Object.fromEntries(native.settings().map(({ name }, index) => [name, found[index] ?? ""]));
}

test("every option arrives at the core", () => {
  const pin = `sha256:${"ab".repeat(32)}`;
  const defaults = texts({});
  // A pin excludes an authority, and Tor a proxy.
  const changed: Record<string, string> = {
    ...texts(EVERY),
    "tls.pin": texts({ tls: { pin } })["tls.pin"] ?? "",
    transport: texts({ transport: "tor" })["transport"] ?? "",
  };
  for (const { name } of native.settings()) {
    assert.notEqual(changed[name], defaults[name], name);
  }
  assert.equal(changed["fallback_addrs"], "https://b,https://c:1");
  assert.equal(new RonAppSdk(EVERY).stats().openCalls, 0);
});

const WRONG: Readonly<Record<string, readonly [wrong: unknown, shown: string, allowed: string]>> = {
  transport: ["tcp", "tcp", "tls or tor"],
  gatewayAddr: ["http://a", "http://a", "https://host"],
  fallbackAddrs: [["https://b", "c"], '"c"', "at most 8"],
  overallTimeoutMs: [49, "49", "50 to 3600000"],
  "timeouts.connectMs": [1.5, "1.5", "10 to 600000"],
  "timeouts.readMs": [600_001, "600001", "10 to 600000"],
  "timeouts.writeMs": ["soon", "soon", "10 to 600000"],
  "tls.ca": ["", '""', "a path"],
  "tls.pin": ["sha256:12", "sha256:12", "64 hexadecimal digits"],
  "tls.clientCert": ["", '""', "a path"],
  "tls.clientKey": ["", '""', "a path"],
  proxy: ["user:password", "not shown here", "begins with http://, socks5:// or socks5h://"],
  "tor.socksAddr": ["192.0.2.1:9050", "192.0.2.1:9050", "a port of this machine"],
  "pool.max": [17, "17", "1 to 16"],
  "backoff.baseMs": [0, "0", "1 to 600000"],
  "backoff.factor": [0.5, "0.5", "1 to 10"],
  "backoff.capMs": [0, "0", "1 to 600000"],
  "backoff.maxAttempts": [6, "6", "1 to 5"],
  "idempotency.enabled": ["yes", "yes", "true or false"],
  "cache.enabled": [2, "2", "true or false"],
  "cache.maxEntries": [0, "0", "1 to 1000000"],
  "cache.maxBytes": [1023, "1023", "1024 to 68719476736"],
  "cache.ttlMs": [0, "0", "1 to 3600000"],
  "cache.verifyPuts": [null, "null", "true or false"],
  "tracing.enabled": [null, "null", "true or false"],
};

test("a wrong option is refused with its name, the value and what is allowed", () => {
  assert.deepEqual(Object.keys(WRONG), Object.keys(options.SETTINGS));
  for (const [path, [wrong, shown, allowed]] of Object.entries(WRONG)) {
    const [group = "", key] = path.split(".");
    const settings = key === undefined ? { [group]: wrong } : { [group]: { [key]: wrong } };
    assert.throws(
      () => new RonAppSdk(settings),
      (error) =>
        error instanceof RonConfigError &&
        [`${path}: `, shown, allowed].every((part) => error.message.includes(part)),
      path,
    );
  }
});

test("options that there are not, or that do not fit together, are refused", () => {
  for (const [wrong, message] of [
    [{ pool: { most: 1 } }, /pool\.most: no such setting; there are transport, gatewayAddr, /],
    [{ tls: { ca: "a", pin: `sha256:${"ab".repeat(32)}` } }, /tls\.pin/],
    [{ tls: { clientKey: "client.key" } }, /tls\.client_cert: not set/],
    [{ proxy: "http://proxy:1", transport: "tor" }, /proxy: Tor is the proxy/],
    [{ backoff: { baseMs: 20_000 } }, /backoff\.base: 20s is not from/],
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
  const found = native.NativeClient.texts({
    variables: options.environmentSettings(variables),
    options: options.flatten({ pool: { max: 3 } }),
  });
  assert.ok(Array.isArray(found));
  const value = (name: string) => found[native.settings().findIndex((setting) => setting.name === name)];
  assert.deepEqual([value("pool.max"), value("timeouts.read_ms"), value("backoff.factor")], ["3", "250", "2"]);
  const bad = { RON_SDK_POOL_MAX: "99" };
  const capability = Capability.fromFile("/no/such/token");
  assert.throws(() => RonAppSdk.fromEnv({ capability }, bad), /RON_SDK_POOL_MAX: "99" is not .* from 1 to 16/);
  assert.throws(() => RonAppSdk.fromEnv({}, {}), /capability/);
});

test("a file is read, and the environment and the options go before it", () => {
  const folder = mkdtempSync(join(tmpdir(), "ron-options-"));
  const file = join(folder, "ron.toml");
  const capability = Capability.fromFile("/no/such/token");
  try {
    writeFileSync(file, "[pool]\nmax = 17\n");
    const refused = /pool\.max \(.*ron\.toml, line 2\): "17" is not .* from 1 to 16/;
    assert.throws(() => RonAppSdk.fromFile(file, { capability }, {}), refused);
    assert.throws(() => RonAppSdk.fromEnv({ capability }, { RON_SDK_CONFIG: file }), refused);
    writeFileSync(file, "[pool]\nmin = 1\n");
    assert.throws(() => RonAppSdk.fromFile(file, { capability }, {}), /pool\.min .*no such setting; did you mean pool\.max/);
    assert.throws(() => RonAppSdk.fromFile(join(folder, "none"), { capability }, {}), /cannot be read/);
    writeFileSync(file, "pool.max = 2\ntimeouts.read_ms = 100\n");
    const found = native.NativeClient.texts({ file, variables: ["RON_SDK_POOL_MAX", "3"], options: [] });
    assert.ok(Array.isArray(found));
    const names = native.settings().map(({ name }) => name);
    assert.equal(found[names.indexOf("pool.max")], "3");
    assert.equal(found[names.indexOf("timeouts.read_ms")], "100");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
