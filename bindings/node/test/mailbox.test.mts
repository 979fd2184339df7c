// The async iterator over a mailbox.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RonTransportError, type RonAppSdk } from "@ron/app-sdk";
import { gatewayOfThisFile, unique } from "./support.mjs";

const its = gatewayOfThisFile();

async function send(sdk: RonAppSdk, topic: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await sdk.mailboxSend(topic, String(index));
  }
}

async function rest(sdk: RonAppSdk, topic: string): Promise<string[]> {
  const messages = await sdk.mailboxReceive(topic, { max: 64, waitMs: 100 });
  return messages.map(({ body, attempt }) => `${body.toString()} ${attempt}`);
}

test("each message is acknowledged when the next one is asked for", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  await send(sdk, topic, 5);
  const controller = new AbortController();
  const seen: string[] = [];
  for await (const message of sdk.mailbox(topic, { max: 2, signal: controller.signal })) {
    seen.push(message.body.toString());
    if (seen.length === 5) {
      // The last one is acknowledged before the loop ends.
      setImmediate(() => {
        controller.abort();
      });
    }
  }
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
  assert.deepEqual(await rest(sdk, topic), []);
});

test("a loop that is left gives back what was not handled", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  await send(sdk, topic, 3);
  for await (const message of sdk.mailbox(topic, { max: 3 })) {
    if (message.body.toString() === "1") {
      break;
    }
  }
  assert.deepEqual((await rest(sdk, topic)).sort(), ["1 2", "2 2"]);
});

test("an exception in the loop gives the message back", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  await send(sdk, topic, 1);
  const failing = async (): Promise<void> => {
    for await (const message of sdk.mailbox(topic)) {
      throw new Error(`cannot handle ${message.body.toString()}`);
    }
  };
  await assert.rejects(failing(), /cannot handle 0/);
  assert.deepEqual(await rest(sdk, topic), ["0 2"]);
});

test("a message that was settled in the loop is left alone", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  await send(sdk, topic, 2);
  for await (const message of sdk.mailbox(topic)) {
    await message.extend(60_000);
    if (message.body.toString() === "0") {
      await message.nack({ delayMs: 60_000 });
    } else {
      await message.ack();
      break;
    }
  }
  assert.deepEqual(await rest(sdk, topic), [], "one is ended, and one comes later");
});

test("a message that somebody else got meanwhile does not end the loop", async () => {
  await using sdk = its.gateway.client();
  const topic = unique("topic");
  await send(sdk, topic, 1);
  const seen: string[] = [];
  for await (const message of sdk.mailbox(topic, { visibilityMs: 250 })) {
    seen.push(message.body.toString());
    if (seen.length === 2) {
      break;
    }
    const [again] = await sdk.mailboxReceive(topic, { waitMs: 5_000 });
    assert.equal(again?.attempt, 2, "its visibility is over");
    await sdk.mailboxSend(topic, "next");
  }
  assert.deepEqual(seen, ["0", "next"]);
});

test("an abort ends a loop that waits, without an error", async () => {
  await using sdk = its.gateway.client();
  const began = performance.now();
  for await (const message of sdk.mailbox(unique("topic"), { signal: AbortSignal.timeout(100) })) {
    assert.fail(`there is no ${message.id}`);
  }
  assert.ok(performance.now() - began < 5_000);
  for await (const message of sdk.mailbox(unique("topic"), { signal: AbortSignal.abort() })) {
    assert.fail(`there is no ${message.id}`);
  }
});

test("what fails in a receive ends the loop with its error", async () => {
  await its.gateway.arm([{ fault: "reset", operation: "mailbox.receive" }]);
  await using sdk = its.gateway.client({ backoff: { maxAttempts: 1 } });
  await assert.rejects(sdk.mailbox(unique("topic"), { waitMs: 100 }).next(), RonTransportError);
  await its.gateway.disarm();
});
