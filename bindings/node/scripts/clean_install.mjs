// Installs the packed packages into a clean folder, as a user does, and runs there what a user runs:
//
//   node scripts/clean_install.mjs all      both module systems, the types, the READMEs' programs, the examples
//   node scripts/clean_install.mjs demo FILE    the quickstart with a file, against the gateway of the environment
//
// `scripts/pack.mjs` comes first.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const root = join(folder, "..", "..");
const packages = join(folder, "build", "packages");
const [what = "all", file = join(root, "README.md")] = process.argv.slice(2);
const clean = mkdtempSync(join(tmpdir(), "ron-node-"));

/** Runs a command in the clean folder; it has to succeed. */
function run(command, arguments_, { quiet = true, env = {} } = {}) {
  const stdio = quiet ? "pipe" : "inherit";
  // Nothing of this repository's own settings reaches the program.
  const ended = spawnSync(command, arguments_, { cwd: clean, stdio, encoding: "utf8", env: { ...process.env, ...env } });
  assert.equal(ended.status, 0, `${command} ${arguments_.join(" ")}\n${ended.stdout ?? ""}${ended.stderr ?? ended.error ?? ""}`);
  return ended.stdout;
}

function install(...more) {
  for (const name of readdirSync(join(root, "examples", "node"))) {
    if (name !== "package.json" && name !== "node_modules") {
      cpSync(join(root, "examples", "node", name), join(clean, name));
    }
  }
  writeFileSync(join(clean, "package.json"), '{ "name": "clean", "private": true, "type": "module" }\n');
  const tarballs = readdirSync(packages).filter((name) => name.endsWith(".tgz"));
  // The other platforms' packages are optional, and in no registry before they are published.
  const flags = ["--omit=optional", "--no-audit", "--no-fund", "--prefer-offline"];
  run("npm", ["install", ...flags, ...tarballs.map((name) => join(packages, name)), ...more]);
}

const MODULES = {
  "esm.mjs": `import * as sdk from "@ron/app-sdk"; import { createRequire } from "node:module"; import assert from "node:assert";
    const required = createRequire(import.meta.url)("@ron/app-sdk");
    assert.deepEqual(Object.keys(sdk).filter((name) => !["default", "module.exports", "__esModule"].includes(name)).sort(), Object.keys(required).sort());
    assert.equal(sdk.RonAppSdk, required.RonAppSdk);
    const address = await sdk.RonAppSdk.fromEnv().storagePut("esm"); assert.match(address, /^b3:/);`,
  "cjs.cjs": `const { RonAppSdk, RonError } = require("@ron/app-sdk"); const { Gateway } = require("@ron/app-sdk/testing");
    Gateway.start({ faults: { error5xx: 0.2, seed: 1 } }).then(async (gateway) => {
      console.log(await gateway.client().storagePut("cjs")); await gateway.stop();
    });`,
};

const TSCONFIG = {
  compilerOptions: {
    module: "node16",
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    strict: true,
    skipLibCheck: false,
    types: ["node"],
    outDir: "out",
  },
  files: ["quickstart.ts", "required.cts"],
};

function all() {
  const { devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  install("fastify@5", `typescript@${devDependencies.typescript}`, `@types/node@${devDependencies["@types/node"]}`);
  const gateway = join(clean, "node_modules", ".bin", "ron-gateway");
  const against = (...command) => run(gateway, ["dev", "--listen", "127.0.0.1:0", "--", ...command], { env: { RON_GATEWAY_BIN: "" } });
  for (const [name, source] of Object.entries(MODULES)) {
    writeFileSync(join(clean, name), source);
    against(process.execPath, name);
    console.log(`${name} ran`);
  }

  writeFileSync(join(clean, "tsconfig.json"), JSON.stringify(TSCONFIG));
  writeFileSync(join(clean, "required.cts"), 'import sdk = require("@ron/app-sdk"); export const one = new sdk.RonAppSdk({ pool: { max: 1 } });\n');
  run("npx", ["tsc", "-p", "."]);
  assert.match(against(process.execPath, "out/quickstart.js"), /holds 5 bytes: hello\nERR_RON_NOT_FOUND after 1 attempt\n/);
  console.log("quickstart.ts compiled and ran");

  assert.match(against(process.execPath, "quickstart.js", "README.md"), /README\.md is b3:/);
  assert.match(against(process.execPath, "worker.js", "jobs", "--fill", "5"), /handled 5 messages/);
  writeFileSync(join(clean, "ranges.mjs"), RANGES);
  against(process.execPath, "ranges.mjs");
  console.log("the examples ran");

  for (const document of ["bindings/node/README.md", "docs/NODE.md", "README.md"]) {
    const programs = [...readFileSync(join(root, document), "utf8").matchAll(/```js\n(.*?)```/gs)];
    assert.notEqual(programs.length, 0, `${document} has a program`);
    programs.forEach(([, source], index) => {
      const name = `${document.replaceAll("/", "-")}-${index}.mjs`;
      writeFileSync(join(clean, name), source);
      against(process.execPath, name);
    });
    console.log(`${document}: ${programs.length} programs ran`);
  }
}

const RANGES = `
  import assert from "node:assert/strict";
  import { RonAppSdk } from "@ron/app-sdk";
  import { server } from "./range-server.js";
  const sdk = RonAppSdk.fromEnv();
  const address = await sdk.storagePut("0123456789");
  const app = server(sdk);
  const get = async (headers, at = address) => {
    const answer = await app.inject({ url: "/objects/" + at, headers });
    return [answer.statusCode, answer.body, answer.headers["content-range"]];
  };
  assert.deepEqual(await get({}), [200, "0123456789", undefined]);
  assert.deepEqual(await get({ range: "bytes=2-4" }), [206, "234", "bytes 2-4/10"]);
  assert.deepEqual(await get({ range: "bytes=7-" }), [206, "789", "bytes 7-9/10"]);
  assert.equal((await get({ range: "bytes=10-" }))[0], 416);
  assert.equal((await get({}, "b3:" + "0".repeat(64)))[0], 404);
  assert.equal((await get({}, "nonsense"))[0], 400);
  await app.close();
`;

try {
  if (what === "demo") {
    install();
    run(process.execPath, ["quickstart.js", resolve(file)], { quiet: false });
  } else {
    all();
  }
} finally {
  rmSync(clean, { recursive: true, force: true });
}
