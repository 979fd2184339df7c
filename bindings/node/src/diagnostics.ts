// Events for `node:diagnostics_channel`: what tracing and metrics tools subscribe to.

import { channel, type Channel } from "node:diagnostics_channel";
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
export const CALL_START = "ron-app-sdk:call:start";
export const CALL_END = "ron-app-sdk:call:end";

/** @internal */
export const channels: { readonly start: Channel<unknown, CallStart>; readonly end: Channel<unknown, CallEnd> } = {
  start: channel(CALL_START) as Channel<unknown, CallStart>,
  end: channel(CALL_END) as Channel<unknown, CallEnd>,
};
