// What the compiler takes and refuses. It is not run: that it compiles is the test.

import {
  RonAppSdk,
  RonError,
  type ErrorCode,
  type ErrorKind,
  type MailboxMessage,
  type Message,
  type Receipt,
  type SettingPath,
  type UnverifiedRange,
} from "@ron/app-sdk";
import { Gateway } from "@ron/app-sdk/testing";

type Equal<One, Two> = [One, Two] extends [Two, One] ? true : false;
const same = <Is extends true>(is: Is): Is => is;

export async function types(sdk: RonAppSdk): Promise<void> {
  same<Equal<Awaited<ReturnType<RonAppSdk["storageGet"]>>, Buffer>>(true);
  same<Equal<Awaited<ReturnType<RonAppSdk["storagePut"]>>, string>>(true);
  same<Equal<Awaited<ReturnType<RonAppSdk["storageGetRange"]>>, UnverifiedRange>>(true);
  same<Equal<Awaited<ReturnType<RonAppSdk["mailboxSend"]>>, Receipt>>(true);
  same<Equal<Awaited<ReturnType<RonAppSdk["mailboxReceive"]>>, Message[]>>(true);
  same<Equal<Awaited<ReturnType<RonAppSdk["indexPublish"]>>, void>>(true);
  const code: ErrorCode = "ERR_RON_RATE_LIMITED";
  const kind: ErrorKind = "OapViolation";
  const path: SettingPath = "timeouts.connectMs";
  // @ts-expect-error no such code
  const wrongCode: ErrorCode = "ERR_RON_RATELIMITED";
  // @ts-expect-error a number is no body
  await sdk.storagePut(1);
  // @ts-expect-error reads take no key
  await sdk.storageGet("b3:", { idempotencyKey: "key" });
  // @ts-expect-error no such setting
  console.log(new RonAppSdk({ pool: { min: 1 } }));
  // @ts-expect-error made by the SDK alone
  console.log(new Gateway());
  for await (const message of sdk.mailbox("topic")) {
    const typed: MailboxMessage = message;
    await typed.ack();
  }
  try {
    await using gateway = await Gateway.start({ faults: { error5xx: 0.5 } });
    await gateway.client().storagePut(new Uint8Array(1), { signal: AbortSignal.timeout(1) });
  } catch (error) {
    if (error instanceof RonError) {
      same<Equal<typeof error.executed, "no" | "yes" | "unknown">>(true);
    }
  }
  console.log(code, kind, path, wrongCode);
}
