// Settings: the same as in every language, in the form that JavaScript gives them.

import { configError } from "./errors.js";
import { native } from "./native.js";

/** A client's settings. What is left out has the core's default. */
export interface Settings {
  /** How the gateway is reached: with `tor` through Tor, and in no other way; `tls` by default. */
  transport?: "tls" | "tor";
  /** `https://` and the gateway's host, with a port where it is not 443. */
  gatewayAddr?: string;
  /** Further gateways, 8 at most, which are tried in their order where the one in use cannot be reached. */
  fallbackAddrs?: readonly string[];
  /** The limit of calls that name none, 50 ms to 1 h; 5,000 by default, 30,000 with Tor. */
  overallTimeoutMs?: number;
  timeouts?: {
    /** For TCP, a proxy, TLS and HELLO; 2,000 by default, 20,000 with Tor. */
    connectMs?: number;
    /** Without a byte from the gateway that owes one. */
    readMs?: number;
    /** Without a byte that the gateway takes. */
    writeMs?: number;
  };
  tls?: {
    /** A file with additional authorities, as PEM. */
    ca?: string;
    /** `sha256:` and the hash of the gateway's public key. Not together with `ca`. */
    pin?: string;
    /** A PEM file with the client's own certificate, for a gateway that asks for one. Together with `clientKey`. */
    clientCert?: string;
    /** A PEM file with that certificate's private key. */
    clientKey?: string;
  };
  /**
   * The proxy that connections go through: `http://`, `socks5://` (names are looked up here) or `socks5h://` (by the
   * proxy), `user:password@` where it asks for them, and `host:port`. Not together with Tor.
   */
  proxy?: string;
  tor?: {
    /** Tor's SOCKS5 port on this machine; `127.0.0.1:9050` by default. */
    socksAddr?: string;
  };
  pool?: {
    /** Connections at most, with Tor for each subject, 1 to 16. */
    max?: number;
  };
  backoff?: {
    baseMs?: number;
    factor?: number;
    capMs?: number;
    /** Attempts of a call, the first included, 1 to 5. */
    maxAttempts?: number;
  };
  idempotency?: {
    /** Whether puts, sends and publishes without a key get one. */
    enabled?: boolean;
  };
  cache?: {
    /** Whether fetched objects are kept, each for its capability. */
    enabled?: boolean;
    maxEntries?: number;
    maxBytes?: number;
    ttlMs?: number;
    /** Whether the address of a put is compared with the hash of its body. */
    verifyPuts?: boolean;
  };
  /** What the client tells of itself while it is at work. */
  tracing?: {
    /** Whether calls and connections have spans and events, and calls say which trace they are part of. Default: true. */
    enabled?: boolean;
  };
}

type Path<Type, Prefix extends string = ""> = {
  [Key in keyof Type & string]-?: NonNullable<Type[Key]> extends readonly unknown[]
    ? `${Prefix}${Key}`
    : NonNullable<Type[Key]> extends object
    ? Path<NonNullable<Type[Key]>, `${Prefix}${Key}.`>
    : `${Prefix}${Key}`;
}[keyof Type & string];

/** The path of a setting in {@link Settings}: `timeouts.connectMs`. */
export type SettingPath = Path<Settings>;

/** @internal Each setting's name in the core, by its path here: all of them, or this does not compile. */
export const SETTINGS: Readonly<Record<SettingPath, string>> = {
  transport: "transport",
  gatewayAddr: "gateway_addr",
  fallbackAddrs: "fallback_addrs",
  overallTimeoutMs: "overall_timeout_ms",
  "timeouts.connectMs": "timeouts.connect_ms",
  "timeouts.readMs": "timeouts.read_ms",
  "timeouts.writeMs": "timeouts.write_ms",
  "tls.ca": "tls.ca",
  "tls.pin": "tls.pin",
  "tls.clientCert": "tls.client_cert",
  "tls.clientKey": "tls.client_key",
  proxy: "proxy",
  "tor.socksAddr": "tor.socks_addr",
  "pool.max": "pool.max",
  "backoff.baseMs": "backoff.base_ms",
  "backoff.factor": "backoff.factor",
  "backoff.capMs": "backoff.cap_ms",
  "backoff.maxAttempts": "backoff.max_attempts",
  "idempotency.enabled": "idempotency.enabled",
  "cache.enabled": "cache.enabled",
  "cache.maxEntries": "cache.max_entries",
  "cache.maxBytes": "cache.max_bytes",
  "cache.ttlMs": "cache.ttl_ms",
  "cache.verifyPuts": "cache.verify_puts",
  "tracing.enabled": "tracing.enabled",
};

type Value = string | number | boolean | object | null | undefined;

/** @internal The settings: for each its name in the core, its name here and its text, one after the other. */
export function flatten(settings: object, prefix = ""): string[] {
  return Object.entries(settings).flatMap(([key, value]: [string, Value]) => {
    const path = prefix + key;
    if (value === undefined) {
      return [];
    }
    if (Array.isArray(value)) {
      return [nameOf(path), path, value.map(String).join(",")];
    }
    if (typeof value === "object" && value !== null) {
      return flatten(value, `${path}.`);
    }
    return [nameOf(path), path, String(value)];
  });
}

function nameOf(path: string): string {
  const names: Readonly<Partial<Record<string, string>>> = SETTINGS;
  const name = names[path];
  if (name === undefined) {
    throw configError(path, `no such setting; there are ${Object.keys(SETTINGS).join(", ")}`);
  }
  return name;
}

/** The variable that names a file of settings. */
const FILE_VARIABLE = "RON_SDK_CONFIG";

/** @internal The variables that set something: names and texts, one after the other. */
export function environmentSettings(variables: NodeJS.ProcessEnv): string[] {
  const names = [FILE_VARIABLE, ...native.settings().map(({ variable }) => variable)];
  return names.flatMap((name) => {
    const value = variables[name];
    return value === undefined ? [] : [name, value];
  });
}
