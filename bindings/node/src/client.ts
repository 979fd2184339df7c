// `RonAppSdk`, a client of one gateway.

import { inspect } from "node:util";
import { call, unwrap } from "./calls.js";
import { Capability, type CapabilityLike } from "./capability.js";
import { argumentError } from "./errors.js";
import { mailbox, type MailboxOptions, type MailboxMessage } from "./mailbox.js";
import { Lease, messageOf, pairsOf, type Message, type Receipt } from "./messages.js";
import {
  native,
  type CallReport,
  type CallSettings,
  type ClientStats,
  type NativeCapability,
  type NativeClient,
  type NativeEnvironment,
  type NativeMessage,
  type ReadinessFields,
  type SettingTexts,
  type Started,
} from "./native.js";
import { readinessOf, type Readiness } from "./readiness.js";
import { traceparent } from "./traces.js";
import { environmentSettings, flatten, type Settings } from "./options.js";

/** A client's settings, and what its calls are made with where they say nothing else. */
export interface ClientOptions extends Settings {
  /** The capability of calls that name none. */
  capability?: CapabilityLike;
}

/** What a call may say for itself. */
export interface CallOptions {
  /** The call's limit, 1 ms to 1 h; `overallTimeoutMs` by default. */
  timeoutMs?: number | undefined;
  /** Cancels the call, at the gateway too. */
  signal?: AbortSignal | undefined;
  /** Instead of the client's. */
  capability?: CapabilityLike | undefined;
  /** Told how the call went, where it did not fail; an error says so itself. */
  onReport?: ((report: CallReport) => void) | undefined;
}

/** What a put, a send or a publish may say for itself. */
export interface MutationOptions extends CallOptions {
  /** Makes its repetitions one: the same key for the same mutation. A fresh one by default. */
  idempotencyKey?: string | undefined;
}

/** A part of an object: its first and its last byte, both included, from 0. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** A part of an object, which cannot be compared with the object's address. */
export interface UnverifiedRange extends ByteRange {
  readonly bytes: Buffer;
  /** The whole object's size. */
  readonly size: number;
}

/** An object's address and size. */
export interface ObjectInfo {
  readonly address: string;
  readonly size: number;
}

export interface EdgeGetOptions extends CallOptions {
  /** It may go beyond the object's end, and ends there. */
  range?: ByteRange | undefined;
}

export interface SendOptions extends MutationOptions {
  /** Up to 16, 4,096 bytes in all. */
  attributes?: Readonly<Record<string, string>> | undefined;
}

export interface ReceiveOptions extends CallOptions {
  /** Messages at most; 1 by default. */
  max?: number | undefined;
  /** For how long nobody else gets them, 250 ms to 12 h; 30 s by default. */
  visibilityMs?: number | undefined;
  /** How long to wait for a first one, up to 20 s; 0 by default. */
  waitMs?: number | undefined;
}

export interface NackOptions extends CallOptions {
  /** When it is delivered again, up to 12 h; at once by default. */
  delayMs?: number | undefined;
}

export interface PublishOptions extends MutationOptions {
  /** Only where the name stands for this address so far, or for nothing: `"absent"`. */
  expected?: string | undefined;
}

/** One number of a metric. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a client has counted: the numbers by their names. */
export type Metrics = Readonly<Record<string, readonly MetricSample[]>>;

/** How a client connects. */
export type ConnectOptions = Omit<CallOptions, "capability">;

/** How a client is probed. */
export type ProbeOptions = Omit<ConnectOptions, "onReport">;

export interface CloseOptions {
  /** How long to wait for open calls; 10 s by default. */
  timeoutMs?: number | undefined;
}

/** What `options` go before. */
const INHERITED = Symbol("inherited");

interface Inherited extends ClientOptions {
  readonly [INHERITED]?: Omit<SettingTexts, "options">;
}

const CLOSE_TIMEOUT_MS = 10_000;
const VISIBILITY_MS = 30_000;

/**
 * A client of one RON gateway. All its calls share a few connections, which the first call opens.
 *
 * ```ts
 * await using sdk = RonAppSdk.fromEnv();
 * const address = await sdk.storagePut("hello");
 * const bytes = await sdk.storageGet(address, { timeoutMs: 500 });
 * ```
 *
 * An idle client does not keep the process; an open call does. It need not be closed.
 */
export class RonAppSdk {
  readonly #native: NativeClient;
  readonly #capability: Capability | undefined;

  /**
   * Does no I/O.
   *
   * @throws {@link RonConfigError} where a setting breaks its rule.
   */
  constructor(options: ClientOptions = {}) {
    const { capability, ...settings } = options;
    this.#capability = capability === undefined ? undefined : Capability.from(capability);
    const inherited = (options as Inherited)[INHERITED] ?? {};
    this.#native = unwrap(native.NativeClient.create({ ...inherited, options: flatten(settings) }), RonAppSdk);
  }

  /**
   * A client with the settings and the capability of the environment (`RON_SDK_GATEWAY_ADDR`, …), and these options
   * before those. Where `RON_SDK_CONFIG` names a file, its settings count where no variable does; no other I/O is done.
   *
   * @throws {@link RonConfigError} where a setting breaks its rule, or there is no capability.
   */
  static fromEnv(options: ClientOptions = {}, variables: NodeJS.ProcessEnv = process.env): RonAppSdk {
    return RonAppSdk.#inheriting(options, variables, undefined);
  }

  /**
   * A client with the settings and the capability of the environment, which go before the settings of a file in TOML, and
   * these options before all. Reads the file, and does no other I/O.
   *
   * @throws {@link RonConfigError} where a setting breaks its rule, the file cannot be read, or there is no capability.
   */
  static fromFile(path: string, options: ClientOptions = {}, variables: NodeJS.ProcessEnv = process.env): RonAppSdk {
    return RonAppSdk.#inheriting(options, variables, textOf("path", path));
  }

  static #inheriting(options: ClientOptions, variables: NodeJS.ProcessEnv, file: string | undefined): RonAppSdk {
    const capability = options.capability ?? Capability.fromEnv(variables);
    const named = file === undefined ? {} : { file };
    const inherited: Inherited = {
      ...options,
      capability,
      [INHERITED]: { variables: environmentSettings(variables), ...named },
    };
    return new RonAppSdk(inherited);
  }

  /**
   * A client that has reached its gateway: TCP, TLS and HELLO are done. Needs no capability.
   *
   * @throws {@link RonTransportError}, {@link RonTlsError} and the others of a gateway that does not answer.
   */
  static async connect(options: ClientOptions = {}, connectOptions: ConnectOptions = {}): Promise<RonAppSdk> {
    const sdk = new RonAppSdk(options);
    await sdk.#connect(connectOptions, RonAppSdk.connect);
    return sdk;
  }

  /**
   * Opens a connection and waits for the gateway's HELLO; where one is open, does nothing. Calls connect by themselves: this
   * is for a program that wants to know early whether the gateway is there.
   *
   * @throws {@link RonTransportError}, {@link RonTlsError} and the others of a gateway that does not answer.
   */
  connect(options: ConnectOptions = {}): Promise<void> {
    return this.#connect(options, this.connect);
  }

  /** Whether the client is ready, as far as it knows without any I/O. */
  ready(): Readiness {
    return readinessOf(this.#native.ready());
  }

  /**
   * Finds out whether the client is ready: opens a connection, or lets one that is open show that it is alive. Needs no
   * capability. What goes wrong is in what it returns.
   */
  async probe(options: ProbeOptions = {}): Promise<Readiness> {
    const fields = await call<ReadinessFields>("probe", this.probe, options, (environment) => {
      const timeoutMs = options.timeoutMs === undefined ? undefined : numberOf("timeoutMs", options.timeoutMs);
      return this.#native.probe(environment, timeoutMs);
    });
    return readinessOf(fields);
  }

  /**
   * Stores an object and returns its address, which is compared with the hash of `body`. What becomes of `body` after
   * this returns changes nothing.
   *
   * @throws {@link RonTooLargeError} above 1,015,808 bytes.
   */
  storagePut(body: Uint8Array | string, options: MutationOptions = {}): Promise<string> {
    return this.#call("storagePut", options, (environment, capability, settings) =>
      this.#native.storagePut(environment, capability, settings, bytesOf("body", body)),
    );
  }

  /**
   * Fetches an object. Its bytes are hashed and compared with the address.
   *
   * @throws {@link RonNotFoundError}, {@link RonTooLargeError}, {@link RonIntegrityMismatchError}.
   */
  storageGet(address: string, options: CallOptions = {}): Promise<Buffer> {
    return this.#call("storageGet", options, (environment, capability, settings) =>
      this.#native.storageGet(environment, capability, settings, textOf("address", address)),
    );
  }

  /**
   * Fetches a part of an object, which cannot be verified. It ends at the object's end at the latest.
   *
   * @throws {@link RonNotFoundError}, {@link RonRangeNotSatisfiableError}, {@link RonTooLargeError}.
   */
  storageGetRange(address: string, range: ByteRange, options: CallOptions = {}): Promise<UnverifiedRange> {
    return this.#call("storageGetRange", options, (environment, capability, settings) => {
      const { first, last } = rangeOf(range);
      return this.#native.storageGetRange(environment, capability, settings, textOf("address", address), first, last);
    });
  }

  /** Asks for an object's size. */
  storageHead(address: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#call("storageHead", options, (environment, capability, settings) =>
      this.#native.storageHead(environment, capability, settings, textOf("address", address)),
    );
  }

  /** Fetches the object at a path, or a range of it. */
  edgeGet(path: string, options: EdgeGetOptions = {}): Promise<Buffer> {
    return this.#call("edgeGet", options, (environment, capability, settings) => {
      const range = options.range === undefined ? undefined : rangeOf(options.range);
      return this.#native.edgeGet(environment, capability, settings, textOf("path", path), range?.first, range?.last);
    });
  }

  /** Asks for the size and address of the object at a path. */
  edgeHead(path: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#call("edgeHead", options, (environment, capability, settings) =>
      this.#native.edgeHead(environment, capability, settings, textOf("path", path)),
    );
  }

  /** Sends a message, which is delivered at least once. */
  mailboxSend(topic: string, body: Uint8Array | string, options: SendOptions = {}): Promise<Receipt> {
    return this.#call("mailboxSend", options, (environment, capability, settings) => {
      const attributes = Object.entries(options.attributes ?? {}).flatMap(([name, value]) => [
        name,
        textOf(`attributes.${name}`, value),
      ]);
      const bytes = bytesOf("body", body);
      return this.#native.mailboxSend(environment, capability, settings, textOf("topic", topic), bytes, attributes);
    });
  }

  /** Receives messages that nobody else has, the oldest first. Each comes again unless it is acknowledged in time. */
  async mailboxReceive(topic: string, options: ReceiveOptions = {}): Promise<Message[]> {
    const { max = 1, visibilityMs = VISIBILITY_MS, waitMs = 0 } = options;
    const messages = await this.#call<NativeMessage[]>("mailboxReceive", options, (environment, capability, settings) =>
      this.#native.mailboxReceive(
        environment,
        capability,
        settings,
        textOf("topic", topic),
        numberOf("max", max),
        numberOf("visibilityMs", visibilityMs),
        numberOf("waitMs", waitMs),
      ),
    );
    return messages.map(messageOf);
  }

  /**
   * Receives up to 16 messages from the one topic that the capability is for, and waits for a first one for as long as
   * the limit allows, up to 20 s.
   */
  async mailboxRecv(options: CallOptions = {}): Promise<Message[]> {
    const messages = await this.#call<NativeMessage[]>("mailboxRecv", options, (environment, capability, settings) =>
      this.#native.mailboxRecv(environment, capability, settings),
    );
    return messages.map(messageOf);
  }

  /**
   * Ends a message: it is not delivered again.
   *
   * @throws {@link RonStaleLeaseError} where it was delivered again, given back or given up since.
   */
  mailboxAck(message: Message | Lease, options: CallOptions = {}): Promise<void> {
    return this.#call("mailboxAck", options, (environment, capability, settings) =>
      this.#native.mailboxAck(environment, capability, settings, leaseOf(message)),
    );
  }

  /** Gives a message back, to be delivered again. */
  mailboxNack(message: Message | Lease, options: NackOptions = {}): Promise<void> {
    return this.#call("mailboxNack", options, (environment, capability, settings) => {
      const delayMs = numberOf("delayMs", options.delayMs ?? 0);
      return this.#native.mailboxNack(environment, capability, settings, leaseOf(message), delayMs);
    });
  }

  /** Keeps a message for so many milliseconds from now, 250 ms to 12 h, under the same lease. */
  mailboxExtend(message: Message | Lease, visibilityMs: number, options: CallOptions = {}): Promise<void> {
    return this.#call("mailboxExtend", options, (environment, capability, settings) => {
      const visibility = numberOf("visibilityMs", visibilityMs);
      return this.#native.mailboxExtend(environment, capability, settings, leaseOf(message), visibility);
    });
  }

  /**
   * A topic's messages, one after the other, for as long as the loop goes on. Asking for the next one acknowledges the
   * one before. One that the loop is left with (`break`, an exception) is given back, unless it was acknowledged.
   *
   * ```ts
   * for await (const message of sdk.mailbox("orders", { signal })) {
   *   await handle(message.body);
   * }
   * ```
   */
  mailbox(topic: string, options: MailboxOptions = {}): AsyncGenerator<MailboxMessage, void, undefined> {
    return mailbox(this, topic, options);
  }

  /**
   * The address that a name stands for.
   *
   * @throws {@link RonNotFoundError} where it stands for nothing.
   */
  indexResolve(name: string, options: CallOptions = {}): Promise<string> {
    return this.#call("indexResolve", options, (environment, capability, settings) =>
      this.#native.indexResolve(environment, capability, settings, textOf("name", name)),
    );
  }

  /**
   * Lets a name stand for an address; with `expected`, only where it stands for that so far.
   *
   * @throws {@link RonConflictError} where it stands for something else.
   */
  indexPublish(name: string, address: string, options: PublishOptions = {}): Promise<void> {
    return this.#call("indexPublish", options, (environment, capability, settings) => {
      const expected = options.expected === undefined ? undefined : textOf("expected", options.expected);
      const { indexPublish } = this.#native;
      const [checkedName, checkedAddress] = [textOf("name", name), textOf("address", address)];
      return indexPublish.call(this.#native, environment, capability, settings, checkedName, checkedAddress, expected);
    });
  }

  /**
   * Takes no more calls, waits for those that are open, and cuts off those that are open after `timeoutMs`. Returns how
   * many that were.
   */
  close(options: CloseOptions = {}): Promise<number> {
    const { timeoutMs = CLOSE_TIMEOUT_MS } = options;
    return call<number>("close", this.close, {}, (environment) =>
      this.#native.close(environment, numberOf("timeoutMs", timeoutMs)),
    );
  }

  /** What the client has at the moment. */
  stats(): ClientStats {
    return this.#native.stats();
  }

  /**
   * What the client has counted so far, by the names that {@link RonAppSdk.metricsText} has: for each number its labels and
   * its value.
   */
  metrics(): Metrics {
    const metrics: Record<string, MetricSample[]> = {};
    for (const { name, labels, value } of this.#native.metrics()) {
      (metrics[name] ??= []).push({ labels: pairsOf(labels), value });
    }
    return metrics;
  }

  /** What the client has counted so far, as text for Prometheus. */
  metricsText(): string {
    return this.#native.metricsText();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [inspect.custom](): string {
    return "RonAppSdk {}";
  }

  #connect(options: ConnectOptions, method: (typeof RonAppSdk)["connect"] | RonAppSdk["connect"]): Promise<void> {
    return call<undefined>("connect", method, options, (environment, report) => {
      const timeoutMs = options.timeoutMs === undefined ? undefined : numberOf("timeoutMs", options.timeoutMs);
      return this.#native.connect(environment, timeoutMs, report);
    });
  }

  #call<Value>(
    operation: Operation,
    options: MutationOptions,
    start: (environment: NativeEnvironment, capability: NativeCapability, settings: CallSettings) => Started,
  ): Promise<Value> {
    return call<Value>(operation, this[operation], options, (environment, report) => {
      const capability = options.capability === undefined ? this.#capability : Capability.from(options.capability);
      if (capability === undefined) {
        throw argumentError("capability", "neither the call nor the client has one");
      }
      const settings: CallSettings = { timeoutMs: options.timeoutMs, idempotencyKey: options.idempotencyKey, report };
      const trace = traceparent();
      if (trace !== undefined) {
        settings.traceparent = trace;
      }
      return start(environment, Capability.nativeOf(capability), settings);
    });
  }
}

type Operation =
  | "storagePut"
  | "storageGet"
  | "storageGetRange"
  | "storageHead"
  | "edgeGet"
  | "edgeHead"
  | "mailboxSend"
  | "mailboxReceive"
  | "mailboxRecv"
  | "mailboxAck"
  | "mailboxNack"
  | "mailboxExtend"
  | "indexResolve"
  | "indexPublish";

function bytesOf(field: string, bytes: Uint8Array | string): Uint8Array {
  if (typeof bytes === "string") {
    return Buffer.from(bytes);
  }
  if (!(bytes instanceof Uint8Array)) {
    throw argumentError(field, "it is neither a Uint8Array nor a string");
  }
  // What other threads may write to meanwhile is copied by JavaScript, which has rules for that.
  return bytes.buffer instanceof SharedArrayBuffer ? Uint8Array.from(bytes) : bytes;
}

function textOf(field: string, text: string): string {
  if (typeof text !== "string") {
    throw argumentError(field, "it is not a string");
  }
  return text;
}

function numberOf(field: string, number: number): number {
  if (typeof number !== "number") {
    throw argumentError(field, "it is not a number");
  }
  return number;
}

function rangeOf({ first, last }: ByteRange): ByteRange {
  return { first: numberOf("range.first", first), last: numberOf("range.last", last) };
}

function leaseOf(message: Message | Lease): ReturnType<typeof Lease.fieldsOf> {
  const lease = message instanceof Lease ? message : message.lease;
  if (!(lease instanceof Lease)) {
    throw argumentError("lease", "it is neither a message nor a Lease");
  }
  return Lease.fieldsOf(lease);
}
