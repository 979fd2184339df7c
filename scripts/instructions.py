#!/usr/bin/env python3
"""Counts the instructions of the SDK's parts with callgrind, and compares them with those that were recorded.

Counts depend on the compiler and the target, and on nothing else: each pair has a file of its own in
testing/performance/baselines/instructions. A count that rises by more than 5 % fails, and one that falls is told.

  scripts/instructions.py              count and compare
  scripts/instructions.py --missing    print what it takes to do that and is not here
  scripts/instructions.py --missing-tool
                                       the same, but for a baseline: without one, nothing is compared
  scripts/instructions.py --runner-version
                                       print which gungraun-runner it takes
  RON_UPDATE=1 scripts/instructions.py record the counts of this compiler and target
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASELINES = ROOT / "testing/performance/baselines/instructions"
RUNNER = "gungraun-runner"
# By how many percent a count may rise.
TOLERANCE = 5
# Receiving byte by byte has to cost a multiple of collecting the same bytes and receiving them at once: it is linear.
LINEAR = [
    ("receive_bytewise.decoder", "receive_collected.decoder", 3.0),
    ("receive_bytewise.session", "receive_collected.session", 5.0),
]


def output(*command: str) -> str:
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return result.stdout


def baseline() -> Path:
    """The file of this compiler and target, whether or not there is one."""
    told = dict(line.split(": ", 1) for line in output("rustc", "-vV").splitlines() if ": " in line)
    return BASELINES / f"rustc-{told['release']}-{told['host']}.txt"


def subject(path: Path) -> str:
    """Whose counts a file holds."""
    return path.stem.replace("-", " ", 1)


def runner_version() -> str:
    """The version that the library in Cargo.lock needs."""
    lock = (ROOT / "Cargo.lock").read_text()
    found = re.search(r'name = "gungraun"\nversion = "([^"]+)"', lock)
    if not found:
        raise SystemExit("Cargo.lock has no gungraun")
    return found[1]


def missing_tool() -> str | None:
    if not shutil.which("valgrind"):
        return "valgrind"
    needed = f"{RUNNER} {runner_version()}"
    is_here = shutil.which(RUNNER) and output(RUNNER, "--version").strip() == needed
    return None if is_here else needed


def missing() -> str | None:
    if tool := missing_tool():
        return tool
    path = baseline()
    return None if path.exists() else f"a baseline for {subject(path)}"


def count() -> dict[str, int]:
    """The instructions of each bench by its name."""
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "ron-counts", "--bench", "instructions"]
    lines = output(*command, "--", "--output-format=json").splitlines()
    return dict(read(json.loads(line)) for line in lines if line.startswith("{"))


def read(bench: Mapping[str, Any]) -> tuple[str, int]:
    """A bench's name and instructions, from its line of the harness's output."""
    callgrind = bench["profiles"][0]["summaries"]["total"]["summary"]["Callgrind"]
    metrics = callgrind["Ir"]["metrics"]
    # Where there was a run before, its count comes second.
    now = metrics["Left"] if "Left" in metrics else metrics["Both"][0]
    return f"{bench['function_name']}.{bench['id']}", int(now["Int"])


def parse(text: str) -> dict[str, int]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: int(value) for name, value in (line.split(" = ") for line in lines)}


def render(counts: Mapping[str, int], path: Path) -> str:
    head = f"# Instructions of each bench in testing/counts/benches/instructions.rs, by {subject(path)}.\n"
    return head + "".join(f"{name} = {value}\n" for name, value in sorted(counts.items()))


def compare(recorded: Mapping[str, int], counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """What is wrong, and what is to be told."""
    wrong, told = [], []
    for name, value in sorted(counts.items()):
        was = recorded.get(name)
        if was is None:
            wrong.append(f"{name} takes {value}, and was not recorded")
            continue
        change = f"{name} takes {value}, {100 * (value / was - 1):+.1f} % against {was}"
        if value * 100 > was * (100 + TOLERANCE):
            wrong.append(change)
        elif value * 100 < was * (100 - TOLERANCE):
            told.append(f"{change}; RON_UPDATE=1 records that")
    wrong += [f"{name} was recorded, and is not counted any more" for name in sorted(recorded.keys() - counts.keys())]
    return wrong, told


def not_linear(counts: Mapping[str, int]) -> list[str]:
    wrong = []
    for bytewise, collected, limit in LINEAR:
        ratio = counts[bytewise] / counts[collected]
        if ratio > limit:
            wrong.append(f"{bytewise} takes {ratio:.2f} times {collected}, above {limit}")
    return wrong


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--missing"]:
        print(missing() or "", end="")
        return 0
    if list(arguments) == ["--missing-tool"]:
        print(missing_tool() or "", end="")
        return 0
    if list(arguments) == ["--runner-version"]:
        print(runner_version())
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    if tool := missing_tool():
        install = f"cargo install --locked {RUNNER} --version {runner_version()}"
        print(f"{tool} is missing: apt-get install valgrind, {install}", file=sys.stderr)
        return 1
    counts, path = count(), baseline()
    wrong = not_linear(counts)
    told: list[str] = []
    if os.environ.get("RON_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(counts, path))
    elif path.exists():
        wrong_now, told = compare(parse(path.read_text()), counts)
        wrong += wrong_now
    else:
        told = [f"not compared: {path.relative_to(ROOT)} is not there, and RON_UPDATE=1 writes it"]
    print(f"{len(counts)} counts, {len(wrong)} of them wrong")
    for line in told + wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
