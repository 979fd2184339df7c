#!/usr/bin/env python3
"""Records what was measured as baselines of times: `make baselines` calls it.

    scripts/record_baselines.py OUT --criterion target/baselines/sdk_benches --overhead overhead.json

Writes `OUT/ron-app-sdk/<bench>.json` for each of Criterion's folders, named like the bench, and `overhead.json` for the
harness's figures, with the date, the revision, the compiler and the machine in each.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from performance import baseline, inputs
from performance.figures import InputError

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        recorded = surroundings()
        for folder in options.criterion:
            record(folder, folder.name, recorded, options.out)
        if options.overhead:
            record(options.overhead, "overhead", recorded, options.out)
    except (InputError, OSError, subprocess.CalledProcessError) as error:
        print(f"record_baselines.py: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder of all baselines")
    parser.add_argument("--criterion", type=Path, action="append", default=[], help="Criterion's folder of one bench")
    parser.add_argument("--overhead", type=Path, help="the harness's JSON")
    return parser.parse_args(arguments)


def record(source: Path, bench: str, recorded: dict[str, str], out: Path) -> None:
    runs = inputs.read(source)
    if len(runs) != 1:
        raise InputError(source, f"expected one run, found {len(runs)} rounds")
    (run,) = runs.values()
    path = out / "ron-app-sdk" / f"{bench}.json"
    baseline.write_document(path, bench, recorded, run)
    print(f"{path}: {len(run.benches)} benches")


def surroundings() -> dict[str, str]:
    """What a time depends on."""
    compiler = dict(line.split(": ", 1) for line in output("rustc", "-vV").splitlines() if ": " in line)
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "revision": output("git", "describe", "--always", "--dirty"),
        "compiler": f"rustc {compiler['release']}",
        "target": compiler["host"],
        "machine": machine(),
    }


def machine() -> str:
    """`2 × Some CPU, Linux 6.18`"""
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} × {processor()}, {platform.system()} {kernel}"


def processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
