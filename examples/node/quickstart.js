// Goes once through all four planes: puts a file and gets it back, reads an edge object, sends a message and receives it,
// gives the file a name and looks it up. The gateway and the capability come from the environment: see README.md.

import { readFile } from "node:fs/promises";
import { RonAppSdk } from "@ron/app-sdk";

const path = process.argv[2] ?? "README.md";
const file = await readFile(path);
const sdk = RonAppSdk.fromEnv();

/** Runs a call and prints how it went. */
async function row(operation, call, describe) {
  let report;
  const value = await call({ onReport: (given) => (report = given) });
  const time = `${report.elapsedMs.toFixed(3)} ms`;
  const columns = [operation.padEnd(18), describe(value).padEnd(32), String(report.attempts).padStart(8)];
  console.log([...columns, (report.replayed ? "yes" : "no").padStart(9), time.padStart(13)].join(""));
  return value;
}

console.log("operation         result                          attempts replayed         time");
const address = await row("storagePut", (options) => sdk.storagePut(file, options), () => "stored");
const bytes = await row("storageGet", (options) => sdk.storageGet(address, options), () => "verified, equal to the file");
if (!bytes.equals(file)) throw new Error("the bytes that came back are not the file's");
await row("storageHead", (options) => sdk.storageHead(address, options), ({ size }) => `${size} bytes`);
if (file.length > 0) {
  const part = { first: 0, last: 99 };
  await row(
    "storageGetRange",
    (options) => sdk.storageGetRange(address, part, options),
    ({ first, last, size }) => `bytes ${first}-${last} of ${size}`,
  );
}
await row("edgeGet", (options) => sdk.edgeGet("/ron/64k", options), ({ length }) => `${length} bytes of /ron/64k`);

const topic = "quickstart/node";
await row("mailboxSend", (options) => sdk.mailboxSend(topic, address, { ...options, attributes: { kind: "file" } }), () => "sent");
const [message] = await row(
  "mailboxReceive",
  (options) => sdk.mailboxReceive(topic, { ...options, waitMs: 1_000 }),
  ([first]) => `delivery ${first?.attempt} of a message`,
);
await row("mailboxAck", (options) => sdk.mailboxAck(message, options), () => "will not come again");

await row("indexPublish", (options) => sdk.indexPublish("quickstart.node", address, options), () => "quickstart.node");
const found = await row("indexResolve", (options) => sdk.indexResolve("quickstart.node", options), () => "the file's address");
if (found !== address) throw new Error("the name stands for another object");

console.log(`\n${path} is ${address}`);
await sdk.close();
