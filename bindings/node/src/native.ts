// The native part: what it offers, and how it is found.

import { join } from "node:path";
import { PLATFORMS, platformName } from "./platforms.js";

/** The fields of an error, as the native part gives them. */
export interface Failure {
  readonly kind: number;
  readonly message: string;
  readonly executed: "no" | "yes" | "unknown";
  readonly attempts: number;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly gaveUp?: "deadline" | "attempts" | "budget" | "other";
  readonly causes: readonly string[];
  /** The number of the function that has thrown, where one has. */
  readonly provider?: number;
}

/** How a call went. */
export interface CallReport {
  /** Attempts that were made; 0 where the cache had the object. */
  readonly attempts: number;
  /** Whether the gateway repeated the receipt of an earlier call under the same idempotency key. */
  readonly replayed: boolean;
  /** Whether the call took effect. Reads have none. */
  readonly executed: "no" | "yes" | "unknown";
  /** The whole call's time, in milliseconds. */
  readonly elapsedMs: number;
}

export interface CallSettings {
  timeoutMs?: number | undefined;
  idempotencyKey?: string | undefined;
  traceparent?: string | undefined;
  report: boolean;
}

export interface LeaseFields {
  readonly topic: string;
  readonly id: string;
  readonly lease: string;
}

export interface NativeMessage extends LeaseFields {
  readonly attempt: number;
  /** Names and values, one after the other. */
  readonly attributes: readonly string[];
  readonly body: Buffer;
  readonly sentAtMs: number;
  readonly dead?: { readonly reason: string; readonly deliveries: number };
}

/** The number of a call that was started, or what is wrong with an argument. */
export type Started = number | Failure;

export interface NativeEnvironment {
  take(most: number): unknown[];
  cancel(id: number): boolean;
  ref(): void;
  unref(): void;
  readonly openCalls: number;
}

export interface NativeCapability {
  attenuate(caveat: string): NativeCapability | Failure;
  expose(): string | null;
}

export interface NativeCapabilityRequest {
  /** The number of the function to ask. */
  readonly provider: number;
  answer(capability: NativeCapability): boolean;
  fail(): void;
}

type Call<Arguments extends unknown[]> = (
  environment: NativeEnvironment,
  capability: NativeCapability,
  settings: CallSettings,
  ...rest: Arguments
) => Started;

/** Where a client's settings come from. */
export interface SettingTexts {
  /** What code sets: for each setting its name in the core, its name here, and a text. */
  options: string[];
  /** For each variable its name and its text. */
  variables?: string[];
  file?: string;
}

export interface NativeClient {
  storagePut: Call<[body: Uint8Array]>;
  storageGet: Call<[address: string]>;
  storageGetRange: Call<[address: string, first: number, last: number]>;
  storageHead: Call<[address: string]>;
  edgeGet: Call<[path: string, first: number | undefined, last: number | undefined]>;
  edgeHead: Call<[path: string]>;
  mailboxSend: Call<[topic: string, body: Uint8Array, attributes: string[]]>;
  mailboxReceive: Call<[topic: string, max: number, visibilityMs: number, waitMs: number]>;
  mailboxRecv: Call<[]>;
  mailboxAck: Call<[lease: LeaseFields]>;
  mailboxNack: Call<[lease: LeaseFields, delayMs: number]>;
  mailboxExtend: Call<[lease: LeaseFields, visibilityMs: number]>;
  indexResolve: Call<[name: string]>;
  indexPublish: Call<[name: string, address: string, expected: string | undefined]>;
  connect(environment: NativeEnvironment, timeoutMs: number | undefined, report: boolean): Started;
  close(environment: NativeEnvironment, limitMs: number): Started;
  ready(): ReadinessFields;
  probe(environment: NativeEnvironment, timeoutMs: number | undefined): Started;
  stats(): ClientStats;
  metricsText(): string;
  metrics(): { name: string; labels: string[]; value: number }[];
}

interface CheckFields {
  readonly state: "ok" | "failed" | "not_applicable" | "unknown";
  readonly failure?: Failure;
}

export interface ReadinessFields {
  readonly isReady: boolean;
  readonly config: CheckFields;
  readonly tor: CheckFields;
  readonly transport: CheckFields;
}

/** What a client has at the moment. */
export interface ClientStats {
  /** Calls that are open, those included that wait for a slot or for their next attempt. */
  readonly openCalls: number;
  readonly connections: number;
  /** Calls that wait for a slot. */
  readonly waitingCalls: number;
  readonly openStreams: number;
  readonly unsentBytes: number;
  readonly cachedObjects: number;
  readonly cachedBytes: number;
}

export interface Native {
  Environment: new (wake: () => void) => NativeEnvironment;
  NativeCapability: {
    fromBase64Url(text: string): NativeCapability | Failure;
    fromBytes(bytes: Uint8Array): NativeCapability | Failure;
    fromFile(path: string): NativeCapability;
    fromProvider(environment: NativeEnvironment, number: number): NativeCapability;
  };
  NativeClient: {
    create(settings: SettingTexts): NativeClient | Failure;
    texts(settings: SettingTexts): string[] | Failure;
  };
  errorKinds(): { number: number; name: string }[];
  settings(): { name: string; variable: string }[];
  capabilityVariable(): string;
}

/** @internal */
export function load(platform: string = platformName(), requires: (name: string) => unknown = require): Native {
  // As of every module that is made with napi-rs: a build of one's own.
  const own = process.env["NAPI_RS_NATIVE_LIBRARY_PATH"];
  if (own !== undefined && own !== "") {
    return requires(own) as Native;
  }
  const file = PLATFORMS[platform];
  if (file === undefined) {
    const known = Object.keys(PLATFORMS).join(", ");
    throw new Error(`@ron/app-sdk has no package for ${platform}; there are packages for ${known}`);
  }
  const packageName = `@ron/app-sdk-${platform}`;
  const attempts: unknown[] = [];
  // The package, or what a build in this repository has put beside this folder.
  for (const name of [packageName, join(__dirname, "..", file)]) {
    try {
      return requires(name) as Native;
    } catch (error) {
      attempts.push(error);
    }
  }
  throw new Error(missing(packageName, attempts), { cause: attempts[0] });
}

function missing(packageName: string, attempts: readonly unknown[]): string {
  const broken = attempts.find((error) => !isNotFound(error));
  if (broken !== undefined) {
    return `${packageName} is installed and cannot be loaded: ${text(broken)}; reinstall it, with the Node that runs it: npm install ${packageName}`;
  }
  return (
    `${packageName} is missing: the native part of @ron/app-sdk for this platform. It is an optional dependency, which ` +
    `npm leaves out with --omit=optional, or where node_modules or the lock file was made on another platform. ` +
    `Install it: npm install ${packageName}; or remove node_modules and package-lock.json, and install anew`
  );
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND";
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const native: Native = load();
