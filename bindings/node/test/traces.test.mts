// The active span of OpenTelemetry goes with a call.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { context, ROOT_CONTEXT, trace, TraceFlags, type Context, type ContextManager } from "@opentelemetry/api";
import { RonAppSdk } from "@ron/app-sdk";
import { PACKAGE } from "./support.mjs";

const { findBinary } = createRequire(import.meta.url)(`${PACKAGE}dist/testing.js`) as { findBinary: () => string };

/** As that of OpenTelemetry's SDK. */
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<Arguments extends unknown[], This, Result>(
    active: Context,
    work: (this: This, ...rest: Arguments) => Result,
    self?: This,
    ...rest: Arguments
  ): Result {
    return this.#storage.run(active, () => work.call(self as This, ...rest));
  }

  bind<Target>(_: Context, target: Target): Target {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

function within<Result>(spanId: string, work: () => Result): Result {
  const span = trace.wrapSpanContext({ traceId: TRACE_ID, spanId, traceFlags: TraceFlags.SAMPLED });
  return context.with(trace.setSpan(context.active(), span), work);
}

test("a call is part of the active trace", async () => {
  const say = 'printf "%s\\n" "$RON_SDK_GATEWAY_ADDR" "$RON_SDK_TLS_CA" "$RON_SDK_CAPABILITY"; exec cat >/dev/null';
  const gateway = spawn(findBinary(), ["dev", "--listen", "127.0.0.1:0", "--log-calls", "--", "sh", "-c", say]);
  try {
    const told: string[] = [];
    for await (const line of createInterface({ input: gateway.stdout })) {
      if (told.push(line) === 3) {
        break;
      }
    }
    let logged = "";
    gateway.stderr.setEncoding("utf8").on("data", (text: string) => (logged += text));
    const [gatewayAddr = "", ca = "", capability = ""] = told;
    const options = { gatewayAddr, tls: { ca }, capability };
    await using sdk = new RonAppSdk(options);
    await sdk.edgeHead("/ron/64k");
    context.setGlobalContextManager(new Contexts());
    await Promise.all([
      within("b7ad6b7169203331", () => sdk.storagePut("x")),
      within("b7ad6b7169203332", () => sdk.indexPublish("a.name", `b3:${"0".repeat(64)}`)),
    ]);
    await sdk.edgeHead("/ron/64k");
    await using silent = new RonAppSdk({ ...options, tracing: { enabled: false } });
    await within("b7ad6b7169203333", () => silent.edgeHead("/ron/64k"));
    const lines = (): { operation: string; traceparent?: string }[] =>
      logged
        .split("\n")
        .filter((line) => line.includes('"operation"'))
        .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as { operation: string; traceparent?: string });
    while (lines().length < 5) {
      await once(gateway.stderr, "data");
    }
    assert.deepEqual(lines().map(({ operation, traceparent }) => `${operation} ${traceparent ?? "none"}`).sort(), [
      "head none",
      "head none",
      "head none",
      `publish 00-${TRACE_ID}-b7ad6b7169203332-01`,
      `put 00-${TRACE_ID}-b7ad6b7169203331-01`,
    ]);
  } finally {
    gateway.kill();
  }
});
