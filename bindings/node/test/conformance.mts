// The agent of the conformance scenarios: makes the calls that its standard input asks for, and says what came of them.
// `testing/conformance/README.md` describes the lines. `make test` runs it.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import {
  Lease,
  RonAppSdk,
  RonError,
  type CallReport,
  type ClientOptions,
  type EdgeGetOptions,
  type Message,
  type ObjectInfo,
  type Receipt,
  type ReceiveOptions,
} from "@ron/app-sdk";
import { PACKAGE } from "./support.mjs";

const internal = createRequire(import.meta.url);
const { SETTINGS } = internal(`${PACKAGE}dist/options.js`) as { SETTINGS: Readonly<Record<string, string>> };
const { errorKinds } = internal(`${PACKAGE}dist/errors.js`) as { errorKinds(): { number: number; kind: string }[] };

/** Bodies up to here are written out, longer ones by their pattern. */
const WRITTEN_OUT = 256;
const CLOSE_TIMEOUT_MS = 1_000;

type Fields = ReadonlyMap<string, string>;
type Reply = [name: string, value: string | number | boolean][];

class Request {
  constructor(
    readonly verb: string,
    private readonly fields: Fields,
  ) {}

  static parse(line: string): Request {
    const [verb = "", ...parts] = line.split("\t");
    const fields = parts.map((part): [string, string] => {
      const at = part.indexOf("=");
      return [part.slice(0, at), decodeURIComponent(part.slice(at + 1))];
    });
    return new Request(verb, new Map(fields));
  }

  text(name: string): string | undefined {
    return this.fields.get(name);
  }

  required(name: string): string {
    const value = this.fields.get(name);
    if (value === undefined) {
      throw new Error(`${this.verb} without ${name}`);
    }
    return value;
  }

  number(name: string): number | undefined {
    const value = this.fields.get(name);
    return value === undefined ? undefined : Number(value);
  }

  under(prefix: string): Record<string, string> {
    const found = [...this.fields].filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]));
  }
}

let sdk: RonAppSdk | undefined;

async function answer(request: Request): Promise<string> {
  try {
    if (request.verb === "client") {
      sdk = new RonAppSdk(clientOptions(request));
      return line("ok", []);
    }
    if (sdk === undefined) {
      throw new Error("no client");
    }
    if (request.verb === "close") {
      return line("ok", [["left", await sdk.close({ timeoutMs: CLOSE_TIMEOUT_MS })]]);
    }
    if (request.verb === "metrics") {
      return line("ok", [["text", sdk.metricsText()]]);
    }
    return line("ok", await perform(sdk, request));
  } catch (error) {
    return error instanceof RonError ? line("error", errorFields(error)) : line("misunderstood", [["why", String(error)]]);
  }
}

function clientOptions(request: Request): ClientOptions {
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request.under("config."))) {
    const path = Object.keys(SETTINGS).find((path) => SETTINGS[path] === name) ?? name;
    const [group, key] = path.split(".");
    if (group !== undefined && key !== undefined) {
      options[group] = { ...(options[group] as object | undefined), [key]: value };
    } else {
      options[path] = value;
    }
  }
  const capability = request.text("capability");
  return capability === undefined ? options : { ...options, capability };
}

async function perform(client: RonAppSdk, request: Request): Promise<Reply> {
  let report: CallReport | undefined;
  const controller = new AbortController();
  const options = {
    timeoutMs: request.number("timeout_ms"),
    idempotencyKey: request.text("idempotency_key"),
    capability: request.text("capability"),
    signal: controller.signal,
    onReport: (given: CallReport): void => void (report = given),
  };
  const cancelAfterMs = request.number("cancel_after_ms");
  const timer = cancelAfterMs === undefined ? undefined : setTimeout(() => { controller.abort(); }, cancelAfterMs);
  try {
    const fields = await operation(client, request, options);
    const { attempts, replayed, executed } = report ?? { attempts: -1, replayed: false, executed: "no report" };
    return [["attempts", attempts], ["replayed", replayed], ["executed", executed], ...fields];
  } finally {
    clearTimeout(timer);
  }
}

async function operation(client: RonAppSdk, request: Request, options: EdgeGetOptions & ReceiveOptions): Promise<Reply> {
  const address = (): string => request.required("address");
  const lease = (): Lease => new Lease(request.required("topic"), request.required("id"), request.required("token"));
  switch (request.verb) {
    case "storage_put":
      return [["address", await client.storagePut(body(request), options)]];
    case "storage_get":
      return [["body", bodyText(await client.storageGet(address(), options))]];
    case "storage_get_range": {
      const range = { first: Number(request.required("first")), last: Number(request.required("last")) };
      const { bytes, first, last, size } = await client.storageGetRange(address(), range, options);
      return [["body", bodyText(bytes)], ["first", first], ["last", last], ["size", size]];
    }
    case "storage_head":
      return infoFields(await client.storageHead(address(), options));
    case "edge_get": {
      const [first, last] = [request.number("first"), request.number("last")];
      const range = first === undefined || last === undefined ? undefined : { first, last };
      return [["body", bodyText(await client.edgeGet(request.required("path"), { ...options, range }))]];
    }
    case "edge_head":
      return infoFields(await client.edgeHead(request.required("path"), options));
    case "mailbox_send": {
      const attributes = request.under("attribute.");
      return receiptFields(await client.mailboxSend(request.required("topic"), body(request), { ...options, attributes }));
    }
    case "mailbox_receive": {
      const [max, visibilityMs, waitMs] = [request.number("max"), request.number("visibility_ms"), request.number("wait_ms")];
      const receive = { ...options, max, visibilityMs, waitMs };
      return messageFields(await client.mailboxReceive(request.required("topic"), receive));
    }
    case "mailbox_recv":
      return messageFields(await client.mailboxRecv(options));
    case "mailbox_ack":
      await client.mailboxAck(lease(), options);
      return [];
    case "mailbox_nack":
      await client.mailboxNack(lease(), { ...options, delayMs: request.number("delay_ms") });
      return [];
    case "mailbox_extend":
      await client.mailboxExtend(lease(), request.number("visibility_ms") ?? 0, options);
      return [];
    case "index_resolve":
      return [["address", await client.indexResolve(request.required("name"), options)]];
    case "index_publish":
      await client.indexPublish(request.required("name"), address(), { ...options, expected: request.text("expected") });
      return [];
    default:
      throw new Error(`no such call: ${request.verb}`);
  }
}

function infoFields({ address, size }: ObjectInfo): Reply {
  return [["address", address], ["size", size]];
}

function receiptFields({ id, duplicate }: Receipt): Reply {
  return [["id", id], ["duplicate", duplicate]];
}

function messageFields(messages: readonly Message[]): Reply {
  const fields = messages.flatMap((message, index): Reply => [
    [`${index}.topic`, message.topic],
    [`${index}.id`, message.id],
    [`${index}.token`, message.lease.expose()],
    [`${index}.attempt`, message.attempt],
    [`${index}.body`, bodyText(message.body)],
    ...Object.entries(message.attributes).map(([name, value]): [string, string] => [`${index}.attribute.${name}`, value]),
    ...deadFields(index, message),
  ]);
  return [["count", messages.length], ...fields];
}

function deadFields(index: number, { dead }: Message): Reply {
  return dead === undefined ? [] : [[`${index}.dead.reason`, dead.reason], [`${index}.dead.deliveries`, dead.deliveries]];
}

function errorFields(error: RonError): Reply {
  const fields: Reply = [
    ["kind", error.kind],
    ["number", errorKinds().find(({ kind }) => kind === error.kind)?.number ?? 0],
    ["executed", error.executed],
    ["attempts", error.attempts],
    ["message", error.message],
  ];
  for (const [name, value] of [["status", error.status], ["retry_after_ms", error.retryAfterMs]] as const) {
    if (value !== undefined) {
      fields.push([name, value]);
    }
  }
  return fields;
}

function body(request: Request): Buffer {
  const text = request.required("body");
  const at = text.indexOf(":");
  const [form, value] = [text.slice(0, at), text.slice(at + 1)];
  switch (form) {
    case "text":
      return Buffer.from(value);
    case "hex":
      return Buffer.from(value, "hex");
    case "pattern":
      return pattern(Number(value));
    default:
      throw new Error(`no body: ${text}`);
  }
}

function bodyText(bytes: Buffer): string {
  const isPattern = bytes.length > WRITTEN_OUT && bytes.equals(pattern(bytes.length));
  return isPattern ? `pattern:${bytes.length}` : `hex:${bytes.toString("hex")}`;
}

function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, index) => index % 251));
}

function line(verb: string, fields: Reply): string {
  return [verb, ...fields.map(([name, value]) => `${name}=${escape(String(value))}`)].join("\t");
}

/** Whatever is not printable ASCII, the space and `%`, as `%` and two hexadecimal digits. */
function escape(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`,
    )
    .join("");
}

console.log(line("ready", [["language", "node"], ["can", "cancel"]]));
for await (const request of createInterface({ input: process.stdin })) {
  console.log(await answer(Request.parse(request)));
}
