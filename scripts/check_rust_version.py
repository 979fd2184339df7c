"""Checks that the core builds with the Rust version that it declares.

With that toolchain, by building. Without it, by what each dependency declares; clippy's `incompatible_msrv`
then watches the core's own code.
"""

import json
import subprocess
import sys
from typing import Any

PACKAGE = "ron-app-sdk"
PLATFORMS = ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"]
# The edition that a newer Rust is needed for, whatever the package declares.
EDITIONS = {"2024": (1, 85)}


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def metadata(platform: str) -> Any:
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", platform]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def dependencies(data: Any, root: str) -> set[str]:
    """The packages that building `root` needs: normal and build dependencies, transitively."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    seen: set[str] = set()
    todo = [root]
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen


def main() -> int:
    data = metadata(PLATFORMS[0])
    root = next(package for package in data["packages"] if package["name"] == PACKAGE)
    declared = root["rust_version"]
    toolchain = "+" + declared
    if subprocess.run(["cargo", toolchain, "--version"], capture_output=True).returncode == 0:
        print(f"building {PACKAGE} with Rust {declared}")
        return subprocess.run(["cargo", toolchain, "check", "--locked", "-p", PACKAGE]).returncode

    too_new: set[str] = set()
    count = 0
    for platform in PLATFORMS:
        data = metadata(platform)
        packages = {package["id"]: package for package in data["packages"]}
        needed = dependencies(data, root["id"])
        count = max(count, len(needed))
        for package in (packages[identity] for identity in needed):
            needs = max(
                version(package["rust_version"] or "1.0"),
                EDITIONS.get(package["edition"], (1, 0)),
            )
            if needs > version(declared):
                too_new.add(f"{package['name']} {package['version']} needs Rust {needs[0]}.{needs[1]}")
    for line in sorted(too_new):
        print(line, file=sys.stderr)
    print(f"no Rust {declared} here: {count} packages declare what they need, {len(too_new)} more than that")
    return 1 if too_new else 0


if __name__ == "__main__":
    sys.exit(main())
