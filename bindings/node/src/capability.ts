// Capabilities: what calls are allowed by.

import { inspect } from "node:util";
import { here, unwrap, useProviders } from "./calls.js";
import { argumentError } from "./errors.js";
import { native, type NativeCapability, type NativeCapabilityRequest } from "./native.js";

/** A fixed capability, or its text (base64url) or bytes. */
export type Token = Capability | string | Uint8Array;

/** Returns a capability that has not expired, or a promise of one. What it throws is the `cause` of its calls' error. */
export type CapabilityProvider = () => Token | Promise<Token>;

/** A capability, its text or bytes, or a function that is asked for one: see {@link Capability.fromProvider}. */
export type CapabilityLike = Token | CapabilityProvider;

/** Who may call. It never shows its token, unless {@link Capability.expose} is called. */
export class Capability {
  readonly #native: NativeCapability;

  private constructor(inner: NativeCapability) {
    this.#native = inner;
  }

  /**
   * From a token's text (base64url) or bytes, or from a function, as {@link Capability.fromProvider} does.
   *
   * @throws {@link RonConfigError} where it is not a well-formed token of at most 8 KiB.
   */
  static from(token: CapabilityLike): Capability {
    if (token instanceof Capability) {
      return token;
    }
    if (typeof token === "string") {
      return new Capability(unwrap(native.NativeCapability.fromBase64Url(token), Capability.from));
    }
    if (token instanceof Uint8Array) {
      return new Capability(unwrap(native.NativeCapability.fromBytes(token), Capability.from));
    }
    if (typeof token === "function") {
      return Capability.fromProvider(token);
    }
    throw argumentError("capability", "it is neither a Capability nor a string, a Uint8Array or a function");
  }

  /**
   * The capability in `RON_SDK_CAPABILITY`.
   *
   * @throws {@link RonConfigError} where the variable is unset or does not hold a capability.
   */
  static fromEnv(variables: NodeJS.ProcessEnv = process.env): Capability {
    const text = variables[native.capabilityVariable()] ?? "";
    return new Capability(unwrap(native.NativeCapability.fromBase64Url(text), Capability.fromEnv));
  }

  /**
   * The capability in a file that holds it as base64url. It is read by the first call, and again when a gateway says that
   * the token has expired.
   */
  static fromFile(path: string): Capability {
    return new Capability(native.NativeCapability.fromFile(path));
  }

  /**
   * A capability from a function, which is asked by the first call that needs one, and again when a gateway says that the
   * token has expired: once, however many calls wait, each within its own limit. Keep it for all calls: each new one asks
   * anew.
   */
  static fromProvider(provider: CapabilityProvider): Capability {
    if (typeof provider !== "function") {
      throw argumentError("provider", "it is not a function");
    }
    lastProvider += 1;
    asked.set(lastProvider, { provider, thrown: undefined });
    return new Capability(native.NativeCapability.fromProvider(here(), lastProvider));
  }

  /**
   * The same capability, narrowed by a caveat such as `op=storage.get`, without asking anybody.
   *
   * @throws {@link RonConfigError} where the caveat is empty, the token would become too long, or it comes from a
   * file or a function.
   */
  attenuate(caveat: string): Capability {
    return new Capability(unwrap(this.#native.attenuate(caveat), this.attenuate));
  }

  /** The token as base64url, of a capability that is not a file's or a function's. Keep it out of logs. */
  expose(): string | undefined {
    return this.#native.expose() ?? undefined;
  }

  /** @internal */
  static nativeOf(capability: Capability): NativeCapability {
    return capability.#native;
  }

  toString(): string {
    return "Capability(redacted)";
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

interface Asked {
  readonly provider: CapabilityProvider;
  /** What it has thrown last. */
  thrown: unknown;
}

/** The functions of this thread by their numbers, until the native part says that nobody asks them any more. */
const asked = new Map<number, Asked>();
let lastProvider = 0;

useProviders({
  take: (value) => {
    if (typeof value === "number") {
      asked.delete(value);
    } else {
      void answer(value as NativeCapabilityRequest);
    }
  },
  thrownBy: (provider) => asked.get(provider)?.thrown,
});

async function answer(request: NativeCapabilityRequest): Promise<void> {
  const who = asked.get(request.provider);
  try {
    const fresh = Capability.from((await who?.provider()) as Token);
    if (!request.answer(Capability.nativeOf(fresh))) {
      throw argumentError("capability", "the function returned one that is a file's or a function's");
    }
  } catch (error) {
    if (who !== undefined) {
      who.thrown = error;
    }
    request.fail();
  }
}
