// What the package shows to people, as types: a change of it shows itself in `surface.d.ts`.
//
//   RON_WRITE_SURFACE=1 npm test     writes it

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE } from "./support.mjs";

test("the types are those that were agreed on", () => {
  const folder = join(PACKAGE, "dist");
  const files = readdirSync(folder).filter((name) => name.endsWith(".d.ts") || name.endsWith(".d.mts"));
  const texts = files.sort().map((name) => `// ${name}\n${readFileSync(join(folder, name), "utf8")}`);
  const surface = texts.join("\n");
  const path = join(PACKAGE, "surface.d.ts");
  if (process.env["RON_WRITE_SURFACE"] !== undefined) {
    writeFileSync(path, surface);
  }
  assert.equal(surface, readFileSync(path, "utf8"));
});
