// Which trace a call is part of: the active span's of OpenTelemetry, where a program has that.

/** What is used of `@opentelemetry/api`. */
interface Api {
  trace: {
    getActiveSpan(): { spanContext(): { traceId: string; spanId: string; traceFlags: number } } | undefined;
  };
  isSpanContextValid(context: { traceId: string; spanId: string }): boolean;
}

/** Where every copy of the API keeps what a program has registered, from its first version on. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

let api: Api | null | undefined;

/** @internal The active span as a W3C `traceparent`. Without OpenTelemetry it costs a look at one global property. */
export function traceparent(): string | undefined {
  if (api === null || (globalThis as Readonly<Record<symbol, unknown>>)[REGISTERED] === undefined) {
    return undefined;
  }
  api ??= load();
  const context = api?.trace.getActiveSpan()?.spanContext();
  if (context === undefined || api?.isSpanContextValid(context) !== true) {
    return undefined;
  }
  const flags = context.traceFlags.toString(16).padStart(2, "0");
  return `00-${context.traceId}-${context.spanId}-${flags}`;
}

function load(requires: (name: string) => unknown = require): Api | null {
  try {
    return requires("@opentelemetry/api") as Api;
  } catch {
    // Somebody else's copy is where this package does not find it.
    return null;
  }
}
