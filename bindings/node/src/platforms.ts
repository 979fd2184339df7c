// Platforms: which one this is, and which ones there are packages for.

/** The platforms that there are packages for, and the file in each. */
export const PLATFORMS: Readonly<Record<string, string>> = {
  "linux-x64-gnu": "ron-node.linux-x64-gnu.node",
  "linux-arm64-gnu": "ron-node.linux-arm64-gnu.node",
  "darwin-x64": "ron-node.darwin-x64.node",
  "darwin-arm64": "ron-node.darwin-arm64.node",
};

/** @internal This machine's platform, as in the names of the packages. */
export function platformName(platform: string = process.platform, arch: string = process.arch): string {
  return platform === "linux" ? `linux-${arch}-${libcName()}` : `${platform}-${arch}`;
}

function libcName(): "gnu" | "musl" {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined ? "musl" : "gnu";
}
