// `@ron/app-sdk/testing`: the real gateway, with faults, for tests of what uses the SDK.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import { request } from "node:https";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { inspect } from "node:util";
import { RonAppSdk, type ClientOptions } from "./client.js";
import { platformName } from "./platforms.js";

/** Faults by probability, as the gateway's variables name them: see `docs/FAULTS.md`. */
export interface Faults {
  /** Answers with 500, 502, 503 or 504 instead of executing: 0 to 1. */
  error5xx?: number;
  /** Executes, and answers with 500: 0 to 1. */
  error5xxAfter?: number;
  /** Answers with 429: 0 to 1. */
  rateLimited?: number;
  /** Does not answer: 0 to 1. */
  timeout?: number;
  /** Resets the connection: 0 to 1. */
  reset?: number;
  /** Flips a bit of the body: 0 to 1. */
  corrupt?: number;
  /** Delays every call: the median, and the 90th and 99th percentile, in milliseconds. */
  latencyMs?: readonly [p50: number, p90: number, p99: number];
  /** Sent with 429 and 503, in milliseconds. */
  retryAfterMs?: number;
  /** What all random decisions follow from. */
  seed?: number;
  /** Anything else. */
  rules?: readonly FaultRule[];
}

/** A rule of a plan: see `docs/FAULTS.md`. */
export interface FaultRule {
  readonly fault: string | Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly probability?: number;
  readonly operation?: string;
  readonly attempt?: number;
  readonly every_nth?: number;
  readonly times?: number;
  readonly for_ms?: number;
  readonly coin?: string;
}

/** What is armed, and what took place. */
export interface FaultReport {
  readonly seed: number;
  readonly total: number;
  readonly decisions: number;
  /** How often each fault took place. */
  readonly fired: Readonly<Record<string, number>>;
}

export interface GatewayOptions {
  faults?: Faults;
  /** A folder whose files are the edge's objects. */
  edgeRoot?: string;
  /**
   * The program. By default what `RON_GATEWAY_BIN` names, then that of the package `@ron/gateway-<platform>`, then
   * `ron-gateway` on the `PATH`.
   */
  binary?: string;
  /** How long it may take to start, in milliseconds; 10,000 by default. */
  timeoutMs?: number;
}

const START_TIMEOUT_MS = 10_000;
const VARIABLES = ["RON_SDK_GATEWAY_ADDR", "RON_SDK_TLS_CA", "RON_SDK_CAPABILITY", "RON_GATEWAY_ADMIN_TOKEN"] as const;
/** Says what the gateway tells its command, and ends with the gateway's standard input, which ends with this process. */
const COMMAND = `printf '%s\\n' ${VARIABLES.map((name) => `"$${name}"`).join(" ")}; exec cat >/dev/null`;

/**
 * A gateway of its own, with an authority and a capability that are made for it. It ends with `stop`, and with this
 * process, however that ends.
 *
 * ```ts
 * await using gateway = await Gateway.start({ faults: { error5xx: 0.2, seed: 7 } });
 * await using sdk = gateway.client();
 * ```
 */
export class Gateway {
  /** `https://127.0.0.1:` and a port. */
  readonly gatewayAddr: string;
  /** A file with the authority of its certificate. */
  readonly ca: string;
  /** Allows everything. */
  readonly capability: string;
  readonly #adminToken: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, [gatewayAddr, ca, capability, adminToken]: readonly string[]) {
    this.#child = child;
    this.gatewayAddr = gatewayAddr ?? "";
    this.ca = ca ?? "";
    this.capability = capability ?? "";
    this.#adminToken = adminToken ?? "";
  }

  /** Starts one, and waits until it serves. */
  static async start(options: GatewayOptions = {}): Promise<Gateway> {
    const binary = options.binary ?? findBinary();
    const edge = options.edgeRoot === undefined ? [] : ["--edge-root", options.edgeRoot];
    const child = spawn(binary, ["dev", "--listen", "127.0.0.1:0", ...edge, "--", "sh", "-c", COMMAND], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...variables(options.faults ?? {}) },
    });
    const stop = (): void => {
      child.kill("SIGKILL");
    };
    const timer = setTimeout(stop, options.timeoutMs ?? START_TIMEOUT_MS);
    const errors: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text));
    // What it is sent when it is gone already is of no use to anybody.
    child.stdin.on("error", () => undefined);
    try {
      const lines = await firstLines(child, binary, errors);
      return new Gateway(child, lines);
    } catch (error) {
      stop();
      throw error;
    } finally {
      clearTimeout(timer);
      // It does not keep the process: it ends with it.
      child.unref();
      for (const stream of [child.stdin, child.stdout, child.stderr]) {
        (stream as unknown as { unref?: () => void }).unref?.();
      }
    }
  }

  /** Settings of its clients. */
  get options(): ClientOptions {
    return { gatewayAddr: this.gatewayAddr, tls: { ca: this.ca }, capability: this.capability };
  }

  /** The variables that point a program at it. */
  get variables(): Readonly<Record<string, string>> {
    const values = [this.gatewayAddr, this.ca, this.capability, this.#adminToken];
    return Object.fromEntries(VARIABLES.map((name, index) => [name, values[index] ?? ""]));
  }

  /** A client of it. */
  client(options: ClientOptions = {}): RonAppSdk {
    return new RonAppSdk({ ...this.options, ...options });
  }

  /** Arms these rules in place of those before. */
  arm(rules: readonly FaultRule[], seed?: number): Promise<FaultReport> {
    return this.#admin("PUT", JSON.stringify(seed === undefined ? { rules } : { seed, rules }));
  }

  /** What is armed, and what took place. */
  faults(): Promise<FaultReport> {
    return this.#admin("GET");
  }

  /** Injects nothing more. */
  disarm(): Promise<FaultReport> {
    return this.#admin("DELETE");
  }

  /** Lets it finish what it is at, and ends it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.ref();
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), START_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  [inspect.custom](): string {
    return `Gateway(${this.gatewayAddr})`;
  }

  #admin(method: string, body?: string): Promise<FaultReport> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#adminToken}` };
      const call = request(
        `${this.gatewayAddr}/admin/faults`,
        { method, headers, ca: readFileSync(this.ca), agent: false },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => (text += part));
          response.on("error", reject);
          response.on("end", () => {
            if (response.statusCode === 200) {
              resolve(JSON.parse(text) as FaultReport);
            } else {
              reject(new Error(`the gateway refused the faults with ${response.statusCode ?? 0}: ${text}`));
            }
          });
        },
      );
      call.on("error", reject).end(body);
    });
  }
}

async function firstLines(child: ChildProcess, binary: string, errors: string[]): Promise<string[]> {
  const { stdout } = child;
  if (stdout === null) {
    throw new Error("the gateway has no standard output");
  }
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (error) => {
      const help = "set RON_GATEWAY_BIN or install it: cargo build -p ron-gateway";
      reject(new Error(`${binary} cannot be run: ${error.message}; ${help}`, { cause: error }));
    });
    child.once("exit", (code, signal) => {
      reject(new Error(`${binary} ended with ${String(code ?? signal)} before it served: ${errors.join("").trim()}`));
    });
  });
  failed.catch(() => undefined);
  const lines: string[] = [];
  const read = (async (): Promise<string[]> => {
    for await (const line of createInterface({ input: stdout })) {
      if (lines.push(line) === VARIABLES.length) {
        break;
      }
    }
    return lines.length === VARIABLES.length ? lines : failed;
  })();
  return Promise.race([read, failed]);
}

function variables(faults: Faults): Record<string, string> {
  const values: Readonly<Record<string, unknown>> = {
    "5XX": faults.error5xx,
    "5XX_AFTER": faults.error5xxAfter,
    "429": faults.rateLimited,
    TIMEOUT: faults.timeout,
    RESET: faults.reset,
    CORRUPT: faults.corrupt,
    LATENCY: faults.latencyMs?.join("/"),
    RETRY_AFTER_MS: faults.retryAfterMs,
    SEED: faults.seed,
    RULES: faults.rules && JSON.stringify(faults.rules),
  };
  const set = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([name, value]) => [`RON_GATEWAY_FAULT_${name}`, String(value)]));
}

/** @internal */
export function findBinary(env: NodeJS.ProcessEnv = process.env): string {
  const named = env["RON_GATEWAY_BIN"];
  if (named !== undefined && named !== "") {
    return named;
  }
  const packageName = `@ron/gateway-${platformName()}`;
  try {
    return require.resolve(`${packageName}/bin/ron-gateway`);
  } catch {
    // It is not installed: on the PATH, then.
  }
  const folders = (env["PATH"] ?? "").split(delimiter);
  const found = folders.map((folder) => join(folder, "ron-gateway")).find(isExecutable);
  if (found === undefined) {
    throw new Error(
      `there is no ron-gateway: install ${packageName} (npm install --save-dev ${packageName}), ` +
        "or set RON_GATEWAY_BIN to the program, or put it on the PATH",
    );
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
