// An HTTP server whose objects come from a gateway, and which answers `Range` from ranged gets: GET /objects/ADDRESS.
//
// It needs fastify beside the SDK: npm install fastify

import Fastify from "fastify";
import { RonAppSdk, RonNotFoundError, RonRangeNotSatisfiableError, RonSchemaViolationError } from "@ron/app-sdk";

/** The longest part of one answer: larger objects are fetched in parts, as players and browsers do anyway. */
const LONGEST = 1_000_000;

export function server(sdk) {
  const app = Fastify();

  app.get("/objects/:address", async (request, reply) => {
    const { address } = request.params;
    const ending = new AbortController();
    // Whoever has hung up waits for nothing.
    reply.raw.once("close", () => ending.abort());
    const options = { signal: ending.signal };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    reply.type("application/octet-stream").header("accept-ranges", "bytes").header("etag", `"${address}"`);
    if (range === null) {
      return reply.send(await sdk.storageGet(address, options));
    }
    const first = Number(range[1]);
    const last = range[2] === "" ? first + LONGEST - 1 : Math.min(Number(range[2]), first + LONGEST - 1);
    const part = await sdk.storageGetRange(address, { first, last }, options);
    return reply.code(206).header("content-range", `bytes ${part.first}-${part.last}/${part.size}`).send(part.bytes);
  });

  app.setErrorHandler((error, _, reply) => {
    if (error instanceof RonNotFoundError) return reply.code(404).send({ error: "no such object" });
    if (error instanceof RonRangeNotSatisfiableError) return reply.code(416).send({ error: "no such range" });
    if (error instanceof RonSchemaViolationError) return reply.code(400).send({ error: "no address, or no range" });
    return reply.code(502).send({ error: error.code ?? "internal" });
  });
  app.addHook("onClose", () => sdk.close());
  return app;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const app = server(RonAppSdk.fromEnv());
  console.log(await app.listen({ port: Number(process.env.PORT ?? 8080) }));
}
