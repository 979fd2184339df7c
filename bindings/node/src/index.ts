// What the package offers.

export { Capability, type CapabilityLike, type CapabilityProvider, type Token } from "./capability.js";
export {
  RonAppSdk,
  type ByteRange,
  type CallOptions,
  type ClientOptions,
  type CloseOptions,
  type ConnectOptions,
  type EdgeGetOptions,
  type MetricSample,
  type Metrics,
  type MutationOptions,
  type NackOptions,
  type ObjectInfo,
  type ProbeOptions,
  type PublishOptions,
  type ReceiveOptions,
  type SendOptions,
  type UnverifiedRange,
} from "./client.js";
export { CALL_END, CALL_START, type CallEnd, type CallStart } from "./diagnostics.js";
export {
  RonBusyError,
  RonCancelledError,
  RonCapabilityDeniedError,
  RonCapabilityExpiredError,
  RonClosedError,
  RonConfigError,
  RonConflictError,
  RonDeadlineExceededError,
  RonError,
  RonForkDetectedError,
  RonIntegrityMismatchError,
  RonInternalError,
  RonNotFoundError,
  RonOapViolationError,
  RonRangeNotSatisfiableError,
  RonRateLimitedError,
  RonSchemaViolationError,
  RonServerError,
  RonStaleLeaseError,
  RonStalledError,
  RonTlsError,
  RonTooLargeError,
  RonTorUnavailableError,
  RonTransportError,
  RonUnknownError,
  type ErrorCode,
  type ErrorKind,
} from "./errors.js";
export type { MailboxMessage, MailboxOptions } from "./mailbox.js";
export { Lease, type DeadLetter, type Message, type Receipt } from "./messages.js";
export type { CallReport, ClientStats } from "./native.js";
export type { Check, Readiness } from "./readiness.js";
export type { SettingPath, Settings } from "./options.js";
