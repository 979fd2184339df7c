// The mailbox's own types: messages and leases.

import { inspect } from "node:util";
import type { LeaseFields, NativeMessage } from "./native.js";

/** The right to acknowledge one delivery of a message. It shows its secret only through {@link Lease.expose}. */
export class Lease {
  readonly topic: string;
  readonly id: string;
  readonly #secret: string;

  /** A lease that was kept elsewhere, from what {@link Lease.expose} returned. */
  constructor(topic: string, id: string, secret: string) {
    this.topic = topic;
    this.id = id;
    this.#secret = secret;
  }

  /** The secret. Keep it out of logs. */
  expose(): string {
    return this.#secret;
  }

  /** @internal */
  static fieldsOf(lease: Lease): LeaseFields {
    return { topic: lease.topic, id: lease.id, lease: lease.#secret };
  }

  toJSON(): object {
    return { topic: this.topic, id: this.id };
  }

  [inspect.custom](): string {
    return `Lease(${this.topic}, ${this.id}, redacted)`;
  }
}

/** A message that was delivered. */
export interface Message {
  readonly topic: string;
  readonly id: string;
  readonly body: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  /** Which delivery this is, from 1. */
  readonly attempt: number;
  /** When the gateway took it. */
  readonly sentAt: Date;
  /** Why it was given up, for one from a topic of dead letters. */
  readonly dead: DeadLetter | undefined;
  /** What acknowledges it. */
  readonly lease: Lease;
}

/** Why a message was given up. */
export interface DeadLetter {
  readonly reason: string;
  readonly deliveries: number;
}

/** What a send returns. */
export interface Receipt {
  readonly id: string;
  /** Whether it had been sent before under the same idempotency key. */
  readonly duplicate: boolean;
}

/** @internal Names and values as properties of an object's own, also where one is called `__proto__`. */
export function pairsOf(pairs: readonly string[]): Record<string, string> {
  const entries: [string, string][] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    entries.push([pairs[index] ?? "", pairs[index + 1] ?? ""]);
  }
  return Object.fromEntries(entries);
}

/** @internal */
export function messageOf(fields: NativeMessage): Message {
  return {
    topic: fields.topic,
    id: fields.id,
    body: fields.body,
    attributes: pairsOf(fields.attributes),
    attempt: fields.attempt,
    sentAt: new Date(fields.sentAtMs),
    dead: fields.dead,
    lease: new Lease(fields.topic, fields.id, fields.lease),
  };
}
