// Lays out the packages that are published, and packs them: `node scripts/pack.mjs [--gateway PROGRAM] [--native FILE]`
//
// The platform's package holds the native part; the main package names the packages of all platforms as optional
// dependencies, which the package.json in this folder cannot do before they are published. Prints the tarballs.

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { PLATFORMS, platformName } = createRequire(import.meta.url)("../dist/platforms.js");
const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(folder, "build", "packages");
const root = join(folder, "..", "..");
const { values: options } = parseArgs({
  options: { gateway: { type: "string" }, native: { type: "string" }, platform: { type: "string", default: platformName() } },
});

const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const { version, license, engines } = manifest;
const platform = options.platform;

function main() {
  rmSync(out, { recursive: true, force: true });
  const tarballs = [packMain()];
  const native = options.native ?? join(folder, PLATFORMS[platform]);
  tarballs.push(packNative(resolve(native)));
  if (options.gateway !== undefined) {
    tarballs.push(packGateway(resolve(options.gateway)));
  }
  console.log(tarballs.join("\n"));
}

function packMain() {
  const published = { ...manifest };
  delete published.scripts;
  delete published.devDependencies;
  const packages = Object.keys(PLATFORMS).map((name) => [`@ron/app-sdk-${name}`, version]);
  published.optionalDependencies = Object.fromEntries(packages);
  const place = lay("app-sdk", published);
  cpSync(join(folder, "dist"), join(place, "dist"), { recursive: true });
  cpSync(join(folder, "README.md"), join(place, "README.md"));
  return pack(place);
}

function packNative(file) {
  const name = PLATFORMS[platform];
  const description = `The native part of @ron/app-sdk for ${platform}`;
  const place = lay(`app-sdk-${platform}`, { name: `@ron/app-sdk-${platform}`, description, main: name, files: [name] });
  cpSync(file, join(place, name));
  readme(place, `${description}. It is installed with @ron/app-sdk.`);
  return pack(place);
}

function packGateway(program) {
  const description = `ron-gateway for ${platform}, which @ron/app-sdk/testing starts`;
  const bin = { "ron-gateway": "bin/ron-gateway" };
  const place = lay(`gateway-${platform}`, { name: `@ron/gateway-${platform}`, description, bin, files: ["bin"] });
  mkdirSync(join(place, "bin"));
  cpSync(program, join(place, "bin", "ron-gateway"));
  chmodSync(join(place, "bin", "ron-gateway"), 0o755);
  readme(place, `${description}.`);
  return pack(place);
}

/** A folder with a package.json, for one platform unless it says otherwise, and the licences. */
function lay(name, fields) {
  const place = join(out, name);
  mkdirSync(place, { recursive: true });
  const [os, cpu, libc] = platform.split("-");
  const restrictions = { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc === "gnu" ? "glibc" : libc] }) };
  const written = fields.version === undefined ? { version, license, engines, ...restrictions, ...fields } : fields;
  writeFileSync(join(place, "package.json"), `${JSON.stringify(written, null, 2)}\n`);
  for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    cpSync(join(root, licence), join(place, licence));
  }
  return place;
}

function readme(place, text) {
  writeFileSync(join(place, "README.md"), `${text}\n`);
}

function pack(place) {
  const printed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", out], { cwd: place });
  const parsed = JSON.parse(String(printed));
  const [packed] = Array.isArray(parsed) ? parsed : Object.values(parsed);
  return join(out, packed.filename);
}

main();
