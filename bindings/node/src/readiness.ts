// Whether a client is ready, check by check.

import { errorOf, type RonError } from "./errors.js";
import type { ReadinessFields } from "./native.js";

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

/** @internal */
export function readinessOf({ isReady, config, tor, transport }: ReadinessFields): Readiness {
  return { isReady, config: checkOf(config), tor: checkOf(tor), transport: checkOf(transport) };
}

function checkOf({ state, failure }: ReadinessFields["config"]): Check {
  return { state, error: failure && errorOf(failure) };
}
