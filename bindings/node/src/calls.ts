// Calls that are on their way: one queue for this environment (the main thread's or a worker's), and the promises of
// those who wait. The native part wakes it once per batch of completions.

import { channels, type CallStart } from "./diagnostics.js";
import { errorOf, RonError } from "./errors.js";
import { native, type CallReport, type Failure, type NativeEnvironment, type Started } from "./native.js";

/** What a caller may say about how a call is waited for. */
export interface WaitOptions {
  signal?: AbortSignal | undefined;
  onReport?: ((report: CallReport) => void) | undefined;
}

interface Waiter {
  resolve: (value: unknown) => void;
  reject: (error: RonError) => void;
  /** Captured where the call was made. */
  readonly stack: { readonly stack?: string };
  readonly options: WaitOptions;
  readonly onAbort: (() => void) | undefined;
  readonly start: CallStart | undefined;
}

/** What the caller has called: where the stack of an error ends. It is not called. */
type Method = ((...rest: never[]) => unknown) | (abstract new (...rest: never[]) => unknown);

const BATCH = 256;
/** Elements of each completion: its number, its error, its value, its report. */
const STRIDE = 4;

const waiters = new Map<number, Waiter>();
let environment: NativeEnvironment | undefined;

/** @internal This environment's queue. */
export function here(): NativeEnvironment {
  environment ??= new native.Environment(takeAll);
  return environment;
}

/**
 * @internal Starts a call and waits for it. Errors have the stack of whoever called `method`.
 */
export function call<Value>(
  operation: string,
  method: Method,
  options: WaitOptions,
  start: (environment: NativeEnvironment, report: boolean) => Started,
): Promise<Value> {
  const stack: { stack?: string } = {};
  Error.captureStackTrace(stack, method);
  const { signal } = options;
  if (signal?.aborted === true) {
    return Promise.reject(at(stack, errorOf(cancelled(), signal.reason)));
  }
  const observed = channels.start.hasSubscribers || channels.end.hasSubscribers;
  const queue = here();
  let started: Started;
  try {
    started = start(queue, observed || options.onReport !== undefined);
  } catch (error) {
    return Promise.reject(error instanceof RonError ? at(stack, error) : (error as Error));
  }
  if (typeof started !== "number") {
    return Promise.reject(at(stack, errorOf(started)));
  }
  const event: CallStart | undefined = observed ? { operation, id: started } : undefined;
  if (event !== undefined) {
    channels.start.publish(event);
  }
  return new Promise<Value>((resolve, reject) => {
    let onAbort: (() => void) | undefined;
    if (signal !== undefined) {
      onAbort = () => queue.cancel(started);
      signal.addEventListener("abort", onAbort, { once: true });
    }
    if (waiters.size === 0) {
      queue.ref();
    }
    waiters.set(started, { resolve: resolve as (value: unknown) => void, reject, stack, options, onAbort, start: event });
  });
}

/** @internal What the native part returned, or its failure as an error. */
export function unwrap<Value extends object>(result: Value | Failure, method: Method): Value {
  if (!isFailure(result)) {
    return result;
  }
  const stack: { stack?: string } = {};
  Error.captureStackTrace(stack, method);
  throw at(stack, errorOf(result));
}

function isFailure(result: object): result is Failure {
  return "kind" in result && "causes" in result;
}

/** The native part calls it when there are completions, once until all are taken. */
function takeAll(): void {
  let batch: unknown[];
  do {
    batch = here().take(BATCH);
    for (let index = 0; index < batch.length; index += STRIDE) {
      settle(
        batch[index] as number,
        batch[index + 1] as Failure | undefined,
        batch[index + 2],
        batch[index + 3] as CallReport | undefined,
      );
    }
  } while (batch.length === BATCH * STRIDE);
}

function settle(id: number, failure: Failure | undefined, value: unknown, report: CallReport | undefined): void {
  const waiter = waiters.get(id);
  if (waiter === undefined) {
    return;
  }
  waiters.delete(id);
  if (waiters.size === 0) {
    here().unref();
  }
  const { signal, onReport } = waiter.options;
  if (waiter.onAbort !== undefined) {
    signal?.removeEventListener("abort", waiter.onAbort);
  }
  const error = failure && at(waiter.stack, errorOf(failure, reasonOf(failure, signal)));
  if (waiter.start !== undefined && channels.end.hasSubscribers) {
    channels.end.publish({ ...waiter.start, error, report });
  }
  if (error !== undefined) {
    waiter.reject(error);
    return;
  }
  if (onReport !== undefined && report !== undefined) {
    // Whatever it throws is not the call's: it took place.
    try {
      onReport(report);
    } catch (thrown) {
      waiter.reject(thrown as RonError);
      return;
    }
  }
  waiter.resolve(value);
}

const CANCELLED = 14;

function reasonOf(failure: Failure, signal: AbortSignal | undefined): unknown {
  return failure.kind === CANCELLED && signal?.aborted === true ? signal.reason : undefined;
}

function cancelled(): Failure {
  return {
    kind: CANCELLED,
    message: "Cancelled: the signal was aborted before the call; check who cancelled it",
    executed: "no",
    attempts: 0,
    causes: [],
  };
}

/** Gives the error the stack of where the call was made. */
function at(stack: { readonly stack?: string }, error: RonError): RonError {
  const frames = stack.stack ?? "";
  const begin = frames.indexOf("\n");
  error.stack = `${error.name}: ${error.message}${begin < 0 ? "" : frames.slice(begin)}`;
  return error;
}
