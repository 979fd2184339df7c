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

/** What came of a call. */
interface End {
  readonly failure: Failure | undefined;
  readonly value: unknown;
  readonly report: CallReport | undefined;
}

/** What the caller has called: where the stack of an error ends. It is not called. */
type Method = ((...rest: never[]) => unknown) | (abstract new (...rest: never[]) => unknown);

const BATCH = 256;
/** Elements of each completion: its number, its error, its value, its report. */
const STRIDE = 4;

/** @internal Functions that are asked for capabilities: {@link Capability} has them. */
export interface Providers {
  /** Asks one, or forgets one. */
  take(value: unknown): void;
  /** What one has thrown. */
  thrownBy(provider: number): unknown;
}

let providers: Providers | undefined;

/** @internal */
export function useProviders(those: Providers): void {
  providers = those;
}

const waiters = new Map<number, (end: End) => void>();
let environment: NativeEnvironment | undefined;

/** @internal This environment's queue. */
export function here(): NativeEnvironment {
  environment ??= new native.Environment(takeAll);
  return environment;
}

/**
 * @internal Starts a call and waits for it; all up to the wait is done when it returns. What fails before has the stack of
 * whoever called `method`. What fails after is made where V8 knows who awaits: to capture a stack for each call would cost
 * more than all the rest of the crossing.
 */
export async function call<Value>(
  operation: string,
  method: Method,
  options: WaitOptions,
  start: (environment: NativeEnvironment, report: boolean) => Started,
): Promise<Value> {
  const { signal, onReport } = options;
  if (signal?.aborted === true) {
    throw from(method, errorOf(cancelled(), signal.reason));
  }
  const observed = channels.start.hasSubscribers || channels.end.hasSubscribers;
  const queue = here();
  const started = begin(method, () => start(queue, observed || onReport !== undefined));
  const event: CallStart | undefined = observed ? { operation, id: started } : undefined;
  if (event !== undefined) {
    channels.start.publish(event);
  }
  if (waiters.size === 0) {
    queue.ref();
  }
  const ended = new Promise<End>((resolve) => waiters.set(started, resolve));
  const onAbort = signal && ((): void => void queue.cancel(started));
  if (onAbort !== undefined) {
    signal?.addEventListener("abort", onAbort, { once: true });
  }
  const { failure, value, report } = await ended;
  if (onAbort !== undefined) {
    signal?.removeEventListener("abort", onAbort);
  }
  const error = failure && from(call, errorOf(failure, reasonOf(failure, signal)));
  if (event !== undefined && channels.end.hasSubscribers) {
    channels.end.publish({ ...event, error, report });
  }
  if (error !== undefined) {
    throw error;
  }
  if (onReport !== undefined && report !== undefined) {
    onReport(report);
  }
  return value as Value;
}

/** The number of a call that was started. */
function begin(method: Method, start: () => Started): number {
  let started: Started;
  try {
    started = start();
  } catch (error) {
    throw error instanceof RonError ? from(method, error) : error;
  }
  if (typeof started !== "number") {
    throw from(method, errorOf(started));
  }
  return started;
}

/** @internal What the native part returned, or its failure as an error. */
export function unwrap<Value extends object>(result: Value | Failure, method: Method): Value {
  if (!isFailure(result)) {
    return result;
  }
  throw from(method, errorOf(result));
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
  const resolve = waiters.get(id);
  if (resolve === undefined) {
    // It is no call's.
    providers?.take(value);
    return;
  }
  waiters.delete(id);
  if (waiters.size === 0) {
    here().unref();
  }
  resolve({ failure, value, report });
}

const CANCELLED = 14;

function reasonOf(failure: Failure, signal: AbortSignal | undefined): unknown {
  if (failure.provider !== undefined) {
    return providers?.thrownBy(failure.provider);
  }
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

/** Lets the error's stack begin where `method` was called. */
function from(method: Method, error: RonError): RonError {
  Error.captureStackTrace(error, method);
  return error;
}
