// What the tests share: one gateway for each file of them.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { RonAppSdk, type ClientOptions } from "@ron/app-sdk";
import { Gateway, type GatewayOptions } from "@ron/app-sdk/testing";

/** The folder of the package. */
export const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

/** A gateway that lasts as long as the file's tests. */
export function gatewayOfThisFile(options: GatewayOptions = {}): { readonly gateway: Gateway } {
  let gateway: Gateway | undefined;
  before(async () => {
    gateway = await Gateway.start(options);
  });
  after(() => gateway?.stop());
  return {
    get gateway() {
      if (gateway === undefined) {
        throw new Error("no test has begun");
      }
      return gateway;
    },
  };
}

/** A name that no other test has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}

/** Fails once where `rules` name a status, and gives up at once. */
export function impatient(gateway: Gateway, options: ClientOptions = {}): RonAppSdk {
  return gateway.client({ ...options, backoff: { maxAttempts: 1 } });
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly elapsedMs: number;
}

/** Runs a program (CommonJS) in a process of its own, killed after `limitMs`. */
export async function run(source: string, env: Readonly<Record<string, string>>, limitMs = 20_000): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, ["--input-type=commonjs", "-e", source], {
    cwd: PACKAGE,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, output, elapsedMs: performance.now() - began });
    });
  });
}
