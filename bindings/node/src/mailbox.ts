// A topic's messages as an async iterator that acknowledges as it goes.

import type { CallOptions, NackOptions, RonAppSdk } from "./client.js";
import { RonCancelledError, RonStaleLeaseError } from "./errors.js";
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

const WAIT_MS = 20_000;
const TIMEOUT_MS = 5_000;

/** @internal */
export async function* mailbox(
  sdk: RonAppSdk,
  topic: string,
  options: MailboxOptions,
): AsyncGenerator<MailboxMessage, void, undefined> {
  const { waitMs = WAIT_MS, timeoutMs = TIMEOUT_MS, signal, capability, max, visibilityMs } = options;
  // Settling goes on when the signal is aborted: what was handled must not come again.
  const settling = { timeoutMs, capability };
  const receiving = { timeoutMs: waitMs + timeoutMs, capability, signal, max, visibilityMs, waitMs };
  while (signal?.aborted !== true) {
    let messages: Message[];
    try {
      messages = await sdk.mailboxReceive(topic, receiving);
    } catch (error) {
      if (error instanceof RonCancelledError && isAborted(signal)) {
        return;
      }
      throw error;
    }
    const held = messages.map((message) => new Held(sdk, message, settling));
    try {
      for (const message of held) {
        if (isAborted(signal)) {
          return;
        }
        yield message.face;
        await message.acknowledge();
      }
    } finally {
      // The loop was left: what was not handled is somebody else's, without a wait.
      await Promise.allSettled(held.map((message) => message.giveBack()));
    }
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** A message until it is settled, once. */
class Held {
  readonly face: MailboxMessage;
  #isSettled = false;

  constructor(
    private readonly sdk: RonAppSdk,
    private readonly message: Message,
    private readonly defaults: CallOptions,
  ) {
    this.face = {
      ...message,
      ack: async (options) => {
        await sdk.mailboxAck(message, { ...defaults, ...options });
        this.#isSettled = true;
      },
      nack: async (options) => {
        await sdk.mailboxNack(message, { ...defaults, ...options });
        this.#isSettled = true;
      },
      extend: (visibilityMs, options) => sdk.mailboxExtend(message, visibilityMs, { ...defaults, ...options }),
    };
  }

  async acknowledge(): Promise<void> {
    if (this.#isSettled) {
      return;
    }
    this.#isSettled = true;
    try {
      await this.sdk.mailboxAck(this.message, this.defaults);
    } catch (error) {
      // It took longer than its visibility: it comes again, as at-least-once delivery says.
      if (!(error instanceof RonStaleLeaseError)) {
        throw error;
      }
    }
  }

  async giveBack(): Promise<void> {
    if (!this.#isSettled) {
      this.#isSettled = true;
      await this.sdk.mailboxNack(this.message, this.defaults);
    }
  }
}
