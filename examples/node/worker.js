// A mailbox worker: handles the messages of a topic one by one until it is told to end (Ctrl-C, SIGTERM), and acknowledges
// each when it is done. One that fails is given back, to be tried again later.
//
//   node worker.js [TOPIC] [--fill COUNT]    with --fill, sends so many messages, handles them and ends

import { parseArgs } from "node:util";
import { RonAppSdk } from "@ron/app-sdk";

const { values, positionals } = parseArgs({ options: { fill: { type: "string" } }, allowPositionals: true });
const topic = positionals[0] ?? "examples/worker";
const count = values.fill === undefined ? Infinity : Number(values.fill);

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => ending.abort());
}

const sdk = RonAppSdk.fromEnv();
for (let index = 0; index < count && count !== Infinity; index += 1) {
  await sdk.mailboxSend(topic, JSON.stringify({ job: index }));
}

async function handle(message) {
  const { job } = JSON.parse(message.body);
  console.log(`job ${job}, delivery ${message.attempt}`);
}

let handled = 0;
for await (const message of sdk.mailbox(topic, { max: 8, signal: ending.signal })) {
  try {
    await handle(message);
    handled += 1;
  } catch (error) {
    console.error(`${message.id} failed: ${error.message}`);
    await message.nack({ delayMs: 5_000 });
  }
  if (handled === count) {
    await message.ack();
    break;
  }
}
console.log(`handled ${handled} messages`);
await sdk.close();
