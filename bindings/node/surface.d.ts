// calls.d.ts
import { type CallReport } from "./native.js";
/** What a caller may say about how a call is waited for. */
export interface WaitOptions {
    signal?: AbortSignal | undefined;
    onReport?: ((report: CallReport) => void) | undefined;
}

// capability.d.ts
import { inspect } from "node:util";
/** A fixed capability, or its text (base64url) or bytes. */
export type Token = Capability | string | Uint8Array;
/** Returns a capability that has not expired, or a promise of one. What it throws is the `cause` of its calls' error. */
export type CapabilityProvider = () => Token | Promise<Token>;
/** A capability, its text or bytes, or a function that is asked for one: see {@link Capability.fromProvider}. */
export type CapabilityLike = Token | CapabilityProvider;
/** Who may call. It never shows its token, unless {@link Capability.expose} is called. */
export declare class Capability {
    #private;
    private constructor();
    /**
     * From a token's text (base64url) or bytes, or from a function, as {@link Capability.fromProvider} does.
     *
     * @throws {@link RonConfigError} where it is not a well-formed token of at most 8 KiB.
     */
    static from(token: CapabilityLike): Capability;
    /**
     * The capability in `RON_SDK_CAPABILITY`.
     *
     * @throws {@link RonConfigError} where the variable is unset or does not hold a capability.
     */
    static fromEnv(variables?: NodeJS.ProcessEnv): Capability;
    /**
     * The capability in a file that holds it as base64url. It is read by the first call, and again when a gateway says that
     * the token has expired.
     */
    static fromFile(path: string): Capability;
    /**
     * A capability from a function, which is asked by the first call that needs one, and again when a gateway says that the
     * token has expired: once, however many calls wait, each within its own limit. Keep it for all calls: each new one asks
     * anew.
     */
    static fromProvider(provider: CapabilityProvider): Capability;
    /**
     * The same capability, narrowed by a caveat such as `op=storage.get`, without asking anybody.
     *
     * @throws {@link RonConfigError} where the caveat is empty, the token would become too long, or it comes from a
     * file or a function.
     */
    attenuate(caveat: string): Capability;
    /** The token as base64url, of a capability that is not a file's or a function's. Keep it out of logs. */
    expose(): string | undefined;
    toString(): string;
    toJSON(): string;
    [inspect.custom](): string;
}

// client.d.ts
import { inspect } from "node:util";
import { type CapabilityLike } from "./capability.js";
import { type MailboxOptions, type MailboxMessage } from "./mailbox.js";
import { Lease, type Message, type Receipt } from "./messages.js";
import { type CallReport, type ClientStats } from "./native.js";
import { type Readiness } from "./readiness.js";
import { type Settings } from "./options.js";
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
export declare class RonAppSdk {
    #private;
    /**
     * Does no I/O.
     *
     * @throws {@link RonConfigError} where a setting breaks its rule.
     */
    constructor(options?: ClientOptions);
    /**
     * A client with the settings and the capability of the environment (`RON_SDK_GATEWAY_ADDR`, …), and these options
     * before those. Where `RON_SDK_CONFIG` names a file, its settings count where no variable does; no other I/O is done.
     *
     * @throws {@link RonConfigError} where a setting breaks its rule, or there is no capability.
     */
    static fromEnv(options?: ClientOptions, variables?: NodeJS.ProcessEnv): RonAppSdk;
    /**
     * A client with the settings and the capability of the environment, which go before the settings of a file in TOML, and
     * these options before all. Reads the file, and does no other I/O.
     *
     * @throws {@link RonConfigError} where a setting breaks its rule, the file cannot be read, or there is no capability.
     */
    static fromFile(path: string, options?: ClientOptions, variables?: NodeJS.ProcessEnv): RonAppSdk;
    /**
     * A client that has reached its gateway: TCP, TLS and HELLO are done. Needs no capability.
     *
     * @throws {@link RonTransportError}, {@link RonTlsError} and the others of a gateway that does not answer.
     */
    static connect(options?: ClientOptions, connectOptions?: ConnectOptions): Promise<RonAppSdk>;
    /**
     * Opens a connection and waits for the gateway's HELLO; where one is open, does nothing. Calls connect by themselves: this
     * is for a program that wants to know early whether the gateway is there.
     *
     * @throws {@link RonTransportError}, {@link RonTlsError} and the others of a gateway that does not answer.
     */
    connect(options?: ConnectOptions): Promise<void>;
    /** Whether the client is ready, as far as it knows without any I/O. */
    ready(): Readiness;
    /**
     * Finds out whether the client is ready: opens a connection, or lets one that is open show that it is alive. Needs no
     * capability. What goes wrong is in what it returns.
     */
    probe(options?: ProbeOptions): Promise<Readiness>;
    /**
     * Stores an object and returns its address, which is compared with the hash of `body`. What becomes of `body` after
     * this returns changes nothing.
     *
     * @throws {@link RonTooLargeError} above 1,015,808 bytes.
     */
    storagePut(body: Uint8Array | string, options?: MutationOptions): Promise<string>;
    /**
     * Fetches an object. Its bytes are hashed and compared with the address.
     *
     * @throws {@link RonNotFoundError}, {@link RonTooLargeError}, {@link RonIntegrityMismatchError}.
     */
    storageGet(address: string, options?: CallOptions): Promise<Buffer>;
    /**
     * Fetches a part of an object, which cannot be verified. It ends at the object's end at the latest.
     *
     * @throws {@link RonNotFoundError}, {@link RonRangeNotSatisfiableError}, {@link RonTooLargeError}.
     */
    storageGetRange(address: string, range: ByteRange, options?: CallOptions): Promise<UnverifiedRange>;
    /** Asks for an object's size. */
    storageHead(address: string, options?: CallOptions): Promise<ObjectInfo>;
    /** Fetches the object at a path, or a range of it. */
    edgeGet(path: string, options?: EdgeGetOptions): Promise<Buffer>;
    /** Asks for the size and address of the object at a path. */
    edgeHead(path: string, options?: CallOptions): Promise<ObjectInfo>;
    /** Sends a message, which is delivered at least once. */
    mailboxSend(topic: string, body: Uint8Array | string, options?: SendOptions): Promise<Receipt>;
    /** Receives messages that nobody else has, the oldest first. Each comes again unless it is acknowledged in time. */
    mailboxReceive(topic: string, options?: ReceiveOptions): Promise<Message[]>;
    /**
     * Receives up to 16 messages from the one topic that the capability is for, and waits for a first one for as long as
     * the limit allows, up to 20 s.
     */
    mailboxRecv(options?: CallOptions): Promise<Message[]>;
    /**
     * Ends a message: it is not delivered again.
     *
     * @throws {@link RonStaleLeaseError} where it was delivered again, given back or given up since.
     */
    mailboxAck(message: Message | Lease, options?: CallOptions): Promise<void>;
    /** Gives a message back, to be delivered again. */
    mailboxNack(message: Message | Lease, options?: NackOptions): Promise<void>;
    /** Keeps a message for so many milliseconds from now, 250 ms to 12 h, under the same lease. */
    mailboxExtend(message: Message | Lease, visibilityMs: number, options?: CallOptions): Promise<void>;
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
    mailbox(topic: string, options?: MailboxOptions): AsyncGenerator<MailboxMessage, void, undefined>;
    /**
     * The address that a name stands for.
     *
     * @throws {@link RonNotFoundError} where it stands for nothing.
     */
    indexResolve(name: string, options?: CallOptions): Promise<string>;
    /**
     * Lets a name stand for an address; with `expected`, only where it stands for that so far.
     *
     * @throws {@link RonConflictError} where it stands for something else.
     */
    indexPublish(name: string, address: string, options?: PublishOptions): Promise<void>;
    /**
     * Takes no more calls, waits for those that are open, and cuts off those that are open after `timeoutMs`. Returns how
     * many that were.
     */
    close(options?: CloseOptions): Promise<number>;
    /** What the client has at the moment. */
    stats(): ClientStats;
    /**
     * What the client has counted so far, by the names that {@link RonAppSdk.metricsText} has: for each number its labels and
     * its value.
     */
    metrics(): Metrics;
    /** What the client has counted so far, as text for Prometheus. */
    metricsText(): string;
    [Symbol.asyncDispose](): Promise<void>;
    [inspect.custom](): string;
}

// diagnostics.d.ts
import type { RonError } from "./errors.js";
import type { CallReport } from "./native.js";
/** A call has left. */
export interface CallStart {
    /** The method's name: `storageGet`. */
    readonly operation: string;
    /** Counted from 1 in each thread, and never used again. */
    readonly id: number;
}
/** A call has ended. */
export interface CallEnd extends CallStart {
    /** Why it failed, where it did. */
    readonly error: RonError | undefined;
    /** How it went, where it did not fail. */
    readonly report: CallReport | undefined;
}
/** The names of the channels. Neither event holds a capability, an idempotency key or a body. */
export declare const CALL_START = "ron-app-sdk:call:start";
export declare const CALL_END = "ron-app-sdk:call:end";

// errors.d.ts
/**
 * Why a call failed. Each kind has a class of its own, and a `code` that never changes.
 *
 * ```text
 * RonError
 * ├── RonDeadlineExceededError    ├── RonConfigError
 * ├── RonTransportError           ├── RonCancelledError
 * ├── RonTlsError                 ├── RonIntegrityMismatchError
 * ├── RonTorUnavailableError      ├── RonTooLargeError
 * ├── RonOapViolationError        ├── RonRangeNotSatisfiableError
 * ├── RonCapabilityExpiredError   ├── RonStaleLeaseError
 * ├── RonCapabilityDeniedError    ├── RonBusyError
 * ├── RonSchemaViolationError     ├── RonStalledError
 * ├── RonNotFoundError            ├── RonClosedError
 * ├── RonConflictError            ├── RonForkDetectedError
 * ├── RonRateLimitedError         ├── RonInternalError
 * └── RonServerError              └── RonUnknownError
 * ```
 */
export declare class RonError extends Error {
    /** The kind's name, the same in every language. */
    readonly kind: ErrorKind;
    /** `ERR_RON_` and the kind: `ERR_RON_RATE_LIMITED`. */
    readonly code: ErrorCode;
    /** The gateway's status, where it answered. */
    readonly status: number | undefined;
    /** Whether the call took effect all the same. Reads have no effect. */
    readonly executed: "no" | "yes" | "unknown";
    /** When the gateway suggests to try again, in milliseconds. */
    readonly retryAfterMs: number | undefined;
    /** Attempts that were made; 0 where the call failed before anything was sent. */
    readonly attempts: number;
    /** Why there was no further attempt, where errors like this one are tried again. */
    readonly gaveUp: "deadline" | "attempts" | "budget" | "other" | undefined;
}
/** The call's time ran out. */
export declare class RonDeadlineExceededError extends RonError {
}
/** The gateway could not be reached, or the connection was lost. */
export declare class RonTransportError extends RonError {
}
/** TLS failed: certificate, name, version or ALPN. */
export declare class RonTlsError extends RonError {
}
/** The Tor proxy could not be used. */
export declare class RonTorUnavailableError extends RonError {
}
/** The peer broke the OAP/1 protocol. */
export declare class RonOapViolationError extends RonError {
}
/** The capability's time is over. */
export declare class RonCapabilityExpiredError extends RonError {
}
/** The capability is missing, malformed or does not allow the call. */
export declare class RonCapabilityDeniedError extends RonError {
}
/** A request or a reply is not what its schema says. */
export declare class RonSchemaViolationError extends RonError {
}
/** No such object, path or name. */
export declare class RonNotFoundError extends RonError {
}
/** The call contradicts the state at the gateway. */
export declare class RonConflictError extends RonError {
}
/** Above a rate or a quota. */
export declare class RonRateLimitedError extends RonError {
}
/** A fault of the gateway. */
export declare class RonServerError extends RonError {
}
/** The SDK's configuration or a call's arguments are at fault. */
export declare class RonConfigError extends RonError {
}
/** The call was cancelled. `cause` is the signal's reason. */
export declare class RonCancelledError extends RonError {
}
/** The bytes are not those of their address. */
export declare class RonIntegrityMismatchError extends RonError {
}
/** Longer than one envelope. */
export declare class RonTooLargeError extends RonError {
}
/** The range starts past the object's end. */
export declare class RonRangeNotSatisfiableError extends RonError {
}
/** The lease is no longer the message's own. */
export declare class RonStaleLeaseError extends RonError {
}
/** Too many calls at once in this client. */
export declare class RonBusyError extends RonError {
}
/** No byte moved for too long. */
export declare class RonStalledError extends RonError {
}
/** The client has been closed. */
export declare class RonClosedError extends RonError {
}
/** The client belongs to the parent of this forked process. */
export declare class RonForkDetectedError extends RonError {
}
/** A fault of the SDK. */
export declare class RonInternalError extends RonError {
}
/** A status that the protocol does not define. */
export declare class RonUnknownError extends RonError {
}
/** The kinds by their numbers, from 1 on. */
declare const KINDS: readonly [readonly ["DeadlineExceeded", typeof RonDeadlineExceededError], readonly ["Transport", typeof RonTransportError], readonly ["Tls", typeof RonTlsError], readonly ["TorUnavailable", typeof RonTorUnavailableError], readonly ["OapViolation", typeof RonOapViolationError], readonly ["CapabilityExpired", typeof RonCapabilityExpiredError], readonly ["CapabilityDenied", typeof RonCapabilityDeniedError], readonly ["SchemaViolation", typeof RonSchemaViolationError], readonly ["NotFound", typeof RonNotFoundError], readonly ["Conflict", typeof RonConflictError], readonly ["RateLimited", typeof RonRateLimitedError], readonly ["Server", typeof RonServerError], readonly ["Config", typeof RonConfigError], readonly ["Cancelled", typeof RonCancelledError], readonly ["IntegrityMismatch", typeof RonIntegrityMismatchError], readonly ["TooLarge", typeof RonTooLargeError], readonly ["RangeNotSatisfiable", typeof RonRangeNotSatisfiableError], readonly ["StaleLease", typeof RonStaleLeaseError], readonly ["Busy", typeof RonBusyError], readonly ["Stalled", typeof RonStalledError], readonly ["Closed", typeof RonClosedError], readonly ["ForkDetected", typeof RonForkDetectedError], readonly ["Internal", typeof RonInternalError], readonly ["Unknown", typeof RonUnknownError]];
/** The name of a kind of error. */
export type ErrorKind = (typeof KINDS)[number][0];
type Screaming<Text extends string> = Text extends `${infer First}${infer Rest}` ? `${First extends Lowercase<First> ? Uppercase<First> : `_${First}`}${Screaming<Rest>}` : "";
/** The `code` of an error. */
export type ErrorCode = `ERR_RON${Screaming<ErrorKind>}`;
export {};

// index.d.mts
export * from "./index.js";

// index.d.ts
export { Capability, type CapabilityLike, type CapabilityProvider, type Token } from "./capability.js";
export { RonAppSdk, type ByteRange, type CallOptions, type ClientOptions, type CloseOptions, type ConnectOptions, type EdgeGetOptions, type MetricSample, type Metrics, type MutationOptions, type NackOptions, type ObjectInfo, type ProbeOptions, type PublishOptions, type ReceiveOptions, type SendOptions, type UnverifiedRange, } from "./client.js";
export { CALL_END, CALL_START, type CallEnd, type CallStart } from "./diagnostics.js";
export { RonBusyError, RonCancelledError, RonCapabilityDeniedError, RonCapabilityExpiredError, RonClosedError, RonConfigError, RonConflictError, RonDeadlineExceededError, RonError, RonForkDetectedError, RonIntegrityMismatchError, RonInternalError, RonNotFoundError, RonOapViolationError, RonRangeNotSatisfiableError, RonRateLimitedError, RonSchemaViolationError, RonServerError, RonStaleLeaseError, RonStalledError, RonTlsError, RonTooLargeError, RonTorUnavailableError, RonTransportError, RonUnknownError, type ErrorCode, type ErrorKind, } from "./errors.js";
export type { MailboxMessage, MailboxOptions } from "./mailbox.js";
export { Lease, type DeadLetter, type Message, type Receipt } from "./messages.js";
export type { CallReport, ClientStats } from "./native.js";
export type { Check, Readiness } from "./readiness.js";
export type { SettingPath, Settings } from "./options.js";

// mailbox.d.ts
import type { CallOptions, NackOptions } from "./client.js";
import type { Message } from "./messages.js";
/** How a topic's messages are received. */
export interface MailboxOptions extends Omit<CallOptions, "onReport" | "timeoutMs"> {
    /** Messages of one receive; 1 by default. Those that wait for their turn use up their visibility. */
    max?: number | undefined;
    /** For how long nobody else gets them, 250 ms to 12 h; 30 s by default. */
    visibilityMs?: number | undefined;
    /** How long one receive waits for a first message, up to 20 s; 20 s by default. */
    waitMs?: number | undefined;
    /** The limit of an acknowledgement, and of a receive beyond its wait; 5 s by default. */
    timeoutMs?: number | undefined;
}
/** A message of {@link RonAppSdk.mailbox}, which can be settled before the loop goes on. */
export interface MailboxMessage extends Message {
    /** Ends it now. */
    ack(options?: CallOptions): Promise<void>;
    /** Gives it back now. */
    nack(options?: NackOptions): Promise<void>;
    /** Keeps it for so many milliseconds from now. */
    extend(visibilityMs: number, options?: CallOptions): Promise<void>;
}

// messages.d.ts
import { inspect } from "node:util";
/** The right to acknowledge one delivery of a message. It shows its secret only through {@link Lease.expose}. */
export declare class Lease {
    #private;
    readonly topic: string;
    readonly id: string;
    /** A lease that was kept elsewhere, from what {@link Lease.expose} returned. */
    constructor(topic: string, id: string, secret: string);
    /** The secret. Keep it out of logs. */
    expose(): string;
    toJSON(): object;
    [inspect.custom](): string;
}
/** A message that was delivered. */
export interface Message {
    readonly topic: string;
    readonly id: string;
    readonly body: Buffer;
    readonly attributes: Readonly<Record<string, string>>;
    /** Which delivery this is, from 1. */
    readonly attempt: number;
    /** When the gateway took it. */
    readonly sentAt: Date;
    /** Why it was given up, for one from a topic of dead letters. */
    readonly dead: DeadLetter | undefined;
    /** What acknowledges it. */
    readonly lease: Lease;
}
/** Why a message was given up. */
export interface DeadLetter {
    readonly reason: string;
    readonly deliveries: number;
}
/** What a send returns. */
export interface Receipt {
    readonly id: string;
    /** Whether it had been sent before under the same idempotency key. */
    readonly duplicate: boolean;
}

// native.d.ts
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
    readonly dead?: {
        readonly reason: string;
        readonly deliveries: number;
    };
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
type Call<Arguments extends unknown[]> = (environment: NativeEnvironment, capability: NativeCapability, settings: CallSettings, ...rest: Arguments) => Started;
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
    metrics(): {
        name: string;
        labels: string[];
        value: number;
    }[];
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
    errorKinds(): {
        number: number;
        name: string;
    }[];
    settings(): {
        name: string;
        variable: string;
    }[];
    capabilityVariable(): string;
}
export declare const native: Native;
export {};

// options.d.ts
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
    [Key in keyof Type & string]-?: NonNullable<Type[Key]> extends readonly unknown[] ? `${Prefix}${Key}` : NonNullable<Type[Key]> extends object ? Path<NonNullable<Type[Key]>, `${Prefix}${Key}.`> : `${Prefix}${Key}`;
}[keyof Type & string];
/** The path of a setting in {@link Settings}: `timeouts.connectMs`. */
export type SettingPath = Path<Settings>;
export {};

// platforms.d.ts
/** The platforms that there are packages for, and the file in each. */
export declare const PLATFORMS: Readonly<Record<string, string>>;

// readiness.d.ts
import { type RonError } from "./errors.js";
/** What came of a check. */
export interface Check {
    /** `unknown`: it has not come to that yet. */
    readonly state: "ok" | "failed" | "not_applicable" | "unknown";
    /** Why it has failed, where it has. */
    readonly error: RonError | undefined;
}
/** What a client knows of itself. */
export interface Readiness {
    /** Whether every check that applies is well. */
    readonly isReady: boolean;
    /** The settings, and the files that they name. */
    readonly config: Check;
    /** Tor, where the transport is that. */
    readonly tor: Check;
    /** A connection to the gateway that has answered HELLO. */
    readonly transport: Check;
}

// testing.d.mts
export * from "./testing.js";

// testing.d.ts
import { inspect } from "node:util";
import { RonAppSdk, type ClientOptions } from "./client.js";
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
/**
 * A gateway of its own, with an authority and a capability that are made for it. It ends with `stop`, and with this
 * process, however that ends.
 *
 * ```ts
 * await using gateway = await Gateway.start({ faults: { error5xx: 0.2, seed: 7 } });
 * await using sdk = gateway.client();
 * ```
 */
export declare class Gateway {
    #private;
    /** `https://127.0.0.1:` and a port. */
    readonly gatewayAddr: string;
    /** A file with the authority of its certificate. */
    readonly ca: string;
    /** Allows everything. */
    readonly capability: string;
    private constructor();
    /** Starts one, and waits until it serves. */
    static start(options?: GatewayOptions): Promise<Gateway>;
    /** Settings of its clients. */
    get options(): ClientOptions;
    /** The variables that point a program at it. */
    get variables(): Readonly<Record<string, string>>;
    /** A client of it. */
    client(options?: ClientOptions): RonAppSdk;
    /** Arms these rules in place of those before. */
    arm(rules: readonly FaultRule[], seed?: number): Promise<FaultReport>;
    /** What is armed, and what took place. */
    faults(): Promise<FaultReport>;
    /** Injects nothing more. */
    disarm(): Promise<FaultReport>;
    /** Lets it finish what it is at, and ends it. */
    stop(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    [inspect.custom](): string;
}

// traces.d.ts
export {};
