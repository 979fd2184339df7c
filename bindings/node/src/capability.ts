// Capabilities: what calls are allowed by.

import { inspect } from "node:util";
import { unwrap } from "./calls.js";
import { argumentError } from "./errors.js";
import { native, type NativeCapability } from "./native.js";

/** A capability, or its text (base64url) or bytes. */
export type CapabilityLike = Capability | string | Uint8Array;

/** Who may call. It never shows its token, unless {@link Capability.expose} is called. */
export class Capability {
  readonly #native: NativeCapability;

  private constructor(inner: NativeCapability) {
    this.#native = inner;
  }

  /**
   * From a token's text (base64url) or bytes.
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
    throw argumentError("capability", "it is neither a Capability nor a string nor a Uint8Array");
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
   * The same capability, narrowed by a caveat such as `op=storage.get`, without asking anybody.
   *
   * @throws {@link RonConfigError} where the caveat is empty, the token would become too long, or it comes from a file.
   */
  attenuate(caveat: string): Capability {
    return new Capability(unwrap(this.#native.attenuate(caveat), this.attenuate));
  }

  /** The token as base64url, of a capability that is not a file's. Keep it out of logs. */
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
