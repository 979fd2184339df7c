// The beginning of every program: stores a text, fetches it, and says what went wrong where something did.
// The gateway and the capability come from the environment: see README.md.

import { RonAppSdk, RonError, RonNotFoundError, type ObjectInfo } from "@ron/app-sdk";

async function main(): Promise<void> {
  await using sdk = RonAppSdk.fromEnv({ overallTimeoutMs: 2_000 });
  const address: string = await sdk.storagePut("hello");
  const bytes: Buffer = await sdk.storageGet(address);
  const { size }: ObjectInfo = await sdk.storageHead(address);
  console.log(`${address} holds ${size} bytes: ${bytes.toString()}`);
  try {
    await sdk.indexResolve("no.such.name");
  } catch (error) {
    if (!(error instanceof RonNotFoundError)) throw error;
    console.log(`${error.code} after ${error.attempts} attempt`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof RonError ? error.message : error);
  process.exitCode = 1;
});
