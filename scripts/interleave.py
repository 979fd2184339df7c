#!/usr/bin/env python3
"""Runs two builds of `ron-time-gate` in turns, and writes what each measured: one file for each side and round.

    ron-gateway dev -- scripts/interleave.py BASE NEW OUT --rounds 20

Writes `OUT/base/round-01.json`, `OUT/new/round-01.json` and so on, for `compare_bench.py OUT/new OUT/base`. The builds
change places with every round, so that neither is always the first. Ends with 2 where a program fails.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BAD_RUN = 2
SPIN = "RON_TIME_GATE_SPIN"
# Of one work of one round, which takes less than a second.
PATIENCE_SECONDS = 120


class RunError(Exception):
    """A program that did not do what it was asked to."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    builds = {"base": options.base, "new": options.new}
    spins = {"base": 0.0, "new": options.spin}
    try:
        works = output([str(options.new), "--list"], spin=0.0).split()
        for number in range(options.first, options.first + options.rounds):
            progress(f"\rround {number} of {options.first + options.rounds - 1}")
            order = ("base", "new") if number % 2 else ("new", "base")
            measured: dict[str, list[object]] = {"base": [], "new": []}
            for work in works:
                for side in order:
                    measured[side] += entries([str(builds[side]), work], spins[side])
            for side, found in measured.items():
                write(options.out / side / f"round-{number:02}.json", found)
    except (RunError, OSError) as error:
        print(f"\ninterleave.py: {error}", file=sys.stderr)
        return BAD_RUN
    progress("\r\033[K")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--first", type=int, default=1, help="number of the first round, where there are others already"
    )
    parser.add_argument(
        "--spin", type=float, default=0.0, help="part of a call's median by which the new build is slowed"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.first < 1:
        parser.error("expected at least 1 as --rounds and as --first")
    return options


def entries(command: list[str], spin: float) -> list[object]:
    text = output(command, spin)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise RunError(f"{' '.join(command)}: expected a JSON array, found {text[:80]!r}") from error
    if not isinstance(found, list):
        raise RunError(f"{' '.join(command)}: expected a JSON array, found {text[:80]!r}")
    return found


def output(command: list[str], spin: float) -> str:
    environment = {name: value for name, value in os.environ.items() if name != SPIN}
    if spin:
        environment[SPIN] = str(spin)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{' '.join(command)}: no end after {PATIENCE_SECONDS} s") from error
    if done.returncode:
        raise RunError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def write(path: Path, found: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def progress(text: str) -> None:
    """For a person who waits; a log needs none of it."""
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
