// Errors: one class per kind, built from the numbers and fields of the native part.

import type { Failure } from "./native.js";

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
export class RonError extends Error {
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

  /** @internal */
  constructor(kind: ErrorKind, fields: Failure, cause: unknown) {
    super(fields.message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = codeOf(kind);
    this.status = fields.status;
    this.executed = fields.executed;
    this.retryAfterMs = fields.retryAfterMs;
    this.attempts = fields.attempts;
    this.gaveUp = fields.gaveUp;
  }
}

/** The call's time ran out. */
export class RonDeadlineExceededError extends RonError {}
/** The gateway could not be reached, or the connection was lost. */
export class RonTransportError extends RonError {}
/** TLS failed: certificate, name, version or ALPN. */
export class RonTlsError extends RonError {}
/** The Tor proxy could not be used. */
export class RonTorUnavailableError extends RonError {}
/** The peer broke the OAP/1 protocol. */
export class RonOapViolationError extends RonError {}
/** The capability's time is over. */
export class RonCapabilityExpiredError extends RonError {}
/** The capability is missing, malformed or does not allow the call. */
export class RonCapabilityDeniedError extends RonError {}
/** A request or a reply is not what its schema says. */
export class RonSchemaViolationError extends RonError {}
/** No such object, path or name. */
export class RonNotFoundError extends RonError {}
/** The call contradicts the state at the gateway. */
export class RonConflictError extends RonError {}
/** Above a rate or a quota. */
export class RonRateLimitedError extends RonError {}
/** A fault of the gateway. */
export class RonServerError extends RonError {}
/** The SDK's configuration or a call's arguments are at fault. */
export class RonConfigError extends RonError {}
/** The call was cancelled. `cause` is the signal's reason. */
export class RonCancelledError extends RonError {}
/** The bytes are not those of their address. */
export class RonIntegrityMismatchError extends RonError {}
/** Longer than one envelope. */
export class RonTooLargeError extends RonError {}
/** The range starts past the object's end. */
export class RonRangeNotSatisfiableError extends RonError {}
/** The lease is no longer the message's own. */
export class RonStaleLeaseError extends RonError {}
/** Too many calls at once in this client. */
export class RonBusyError extends RonError {}
/** No byte moved for too long. */
export class RonStalledError extends RonError {}
/** The client has been closed. */
export class RonClosedError extends RonError {}
/** The client belongs to the parent of this forked process. */
export class RonForkDetectedError extends RonError {}
/** A fault of the SDK. */
export class RonInternalError extends RonError {}
/** A status that the protocol does not define. */
export class RonUnknownError extends RonError {}

/** The kinds by their numbers, from 1 on. */
const KINDS = [
  ["DeadlineExceeded", RonDeadlineExceededError],
  ["Transport", RonTransportError],
  ["Tls", RonTlsError],
  ["TorUnavailable", RonTorUnavailableError],
  ["OapViolation", RonOapViolationError],
  ["CapabilityExpired", RonCapabilityExpiredError],
  ["CapabilityDenied", RonCapabilityDeniedError],
  ["SchemaViolation", RonSchemaViolationError],
  ["NotFound", RonNotFoundError],
  ["Conflict", RonConflictError],
  ["RateLimited", RonRateLimitedError],
  ["Server", RonServerError],
  ["Config", RonConfigError],
  ["Cancelled", RonCancelledError],
  ["IntegrityMismatch", RonIntegrityMismatchError],
  ["TooLarge", RonTooLargeError],
  ["RangeNotSatisfiable", RonRangeNotSatisfiableError],
  ["StaleLease", RonStaleLeaseError],
  ["Busy", RonBusyError],
  ["Stalled", RonStalledError],
  ["Closed", RonClosedError],
  ["ForkDetected", RonForkDetectedError],
  ["Internal", RonInternalError],
  ["Unknown", RonUnknownError],
] as const;

/** The name of a kind of error. */
export type ErrorKind = (typeof KINDS)[number][0];

type Screaming<Text extends string> = Text extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? Uppercase<First> : `_${First}`}${Screaming<Rest>}`
  : "";

/** The `code` of an error. */
export type ErrorCode = `ERR_RON${Screaming<ErrorKind>}`;

// On the prototype, so that an error shows its class and does not show the name as one of its fields.
Object.defineProperty(RonError.prototype, "name", { value: "RonError", configurable: true, writable: true });
for (const [kind, { prototype }] of KINDS) {
  Object.defineProperty(prototype, "name", { value: `Ron${kind}Error`, configurable: true, writable: true });
}

/** @internal */
export function codeOf(kind: ErrorKind): ErrorCode {
  return `ERR_RON${kind.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}` as ErrorCode;
}

/** @internal Every kind with its number and class. */
export function errorKinds(): { number: number; kind: ErrorKind; type: typeof RonError }[] {
  return KINDS.map(([kind, type], index) => ({ number: index + 1, kind, type }));
}

/** @internal The error with these fields; `reason` is its cause, where there is one. */
export function errorOf(fields: Failure, reason?: unknown): RonError {
  // A kind of a newer native part.
  const [kind, type] = KINDS[fields.kind - 1] ?? (["Unknown", RonUnknownError] as const);
  return new type(kind, fields, reason ?? causeOf(fields.causes));
}

/** @internal An argument that breaks its rule. */
export function argumentError(field: string, rule: string): RonError {
  return invalid("SchemaViolation", field, rule);
}

/** @internal A setting that breaks its rule. */
export function configError(field: string, rule: string): RonError {
  return invalid("Config", field, rule);
}

function invalid(kind: ErrorKind, field: string, rule: string): RonError {
  const number = KINDS.findIndex(([name]) => name === kind) + 1;
  return errorOf({ kind: number, message: `${kind}: ${field}: ${rule}`, executed: "no", attempts: 0, causes: [] });
}

function causeOf(causes: readonly string[]): Error | undefined {
  return causes.reduceRight<Error | undefined>((inner, message) => {
    const cause = new Error(message, inner === undefined ? undefined : { cause: inner });
    // Nothing of it happened in JavaScript.
    cause.stack = `Error: ${message}`;
    return cause;
  }, undefined);
}
