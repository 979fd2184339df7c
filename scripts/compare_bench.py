#!/usr/bin/env python3
"""Compares measurements with a baseline, and fails where they got worse by more than a limit.

    scripts/compare_bench.py bench.txt testing/performance/baselines/bench.txt --p95-delta 0.10

Each input is Criterion's output as text, its folder (`target/criterion`), the overhead harness's JSON, a recorded
baseline or a folder of them, or a folder with the harness's JSON of several rounds. Rounds are compared with rounds
only.

Ends with 0 where all is well, 1 where something regressed or vanished, 2 where an input, an option or a waiver is
wrong.
"""

import argparse
import datetime
import fnmatch
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from performance import comparison, inputs, report, waivers
from performance.comparison import Limits
from performance.figures import InputError, Run
from performance.report import Report

ROOT = Path(__file__).resolve().parent.parent
WAIVERS = ROOT / "testing" / "performance" / "waivers.toml"
FINE, REGRESSED, BAD_INPUT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        result = run(options)
        if options.json:
            write_json(options.json, result)
    except InputError as error:
        print(f"compare_bench.py: {error}", file=sys.stderr)
        return BAD_INPUT
    if options.json != Path("-"):
        print(report.as_text(result, everything=options.all))
    return REGRESSED if result.failures() else FINE


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("new", type=Path, help="what was measured")
    add("baseline", type=Path, help="what it is compared with")
    add("--p95-delta", type=part, default=0.10, help="how much longer p95, and the median, may be (0.10: 10 %%)")
    add("--throughput-delta", type=part, default=0.10, help="how much less throughput may be (0.10)")
    add("--rss-delta", type=part, default=0.15, help="how much more peak memory may be (0.15)")
    add("--confidence", type=confidence, default=0.99, help="with which rounds must show a regression (0.99)")
    add("--only", action="append", metavar="PATTERN", help="benches that match this shell pattern (repeatable)")
    add("--waivers", type=Path, metavar="PATH", help="instead of testing/performance/waivers.toml")
    add("--today", type=datetime.date.fromisoformat, metavar="DATE", help="by which waivers end (today in UTC)")
    add("--json", type=Path, metavar="PATH", help="write a report as JSON (- for standard output)")
    add("--all", action="store_true", help="show also what did not move")
    return parser.parse_args(arguments)


def part(text: str) -> float:
    value = float(text)
    if not 0 <= value < 10:
        raise argparse.ArgumentTypeError(f"expected a part like 0.10 (10 %), found {text}")
    return value


def confidence(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a part from 0.5 to below 1, found {text}")
    return value


def run(options: argparse.Namespace) -> Report:
    accepted = read_waivers(options)
    new, base = inputs.read(options.new), inputs.read(options.baseline)
    if options.only:
        new, base = chosen(new, options.only, options.new), chosen(base, options.only, options.baseline)
    pairs = inputs.pairs(new, base, options.new, options.baseline)
    limits = Limits(options.p95_delta, options.throughput_delta, options.rss_delta)
    rows = comparison.compare(pairs, limits, options.confidence)
    used = waivers.apply(accepted, rows)
    result = Report(
        str(options.new), str(options.baseline), len(pairs), options.confidence, limits, rows, waivers=accepted
    )
    result.notes = notes(pairs, options.confidence)
    for waiver in accepted:
        if not any(waiver.names(row.bench) for row in rows):
            result.notes.append(f"the waiver {waiver} matches no bench")
        elif waiver not in used:
            result.notes.append(f"the waiver {waiver} was not needed")
    return result


def read_waivers(options: argparse.Namespace) -> list[waivers.Waiver]:
    today = options.today or datetime.datetime.now(datetime.UTC).date()
    if options.waivers is None and not WAIVERS.exists():
        return []
    return waivers.read(options.waivers or WAIVERS, ROOT, today)


def chosen(runs: dict[str, Run], patterns: list[str], path: Path) -> dict[str, Run]:
    def wanted(bench: str) -> bool:
        return any(fnmatch.fnmatchcase(bench, pattern) for pattern in patterns)

    found = {name: run.only(filter(wanted, run.benches)) for name, run in runs.items()}
    if not any(run.benches for run in found.values()):
        raise InputError(path, f"has no bench that matches {' or '.join(patterns)}")
    return found


def notes(pairs: list[tuple[Run, Run]], confidence: float) -> list[str]:
    """What a reader must know to trust the table."""
    said = []
    without = [str(run.source) for run in pairs[0] if not run.has_percentiles()]
    if without:
        said.append(f"no percentiles in {' and '.join(without)}: medians are compared, with the limit of p95")
    said += [f"p50 of {run.source} is {run.median_is}" for run in pairs[0] if run.median_is]
    needed = comparison.rounds_needed(confidence)
    if len(pairs) == 1:
        said.append(
            "one run of each: noise counts as change, and times of two machines differ anyway (see `make perf`)"
        )
    elif len(pairs) < needed:
        said.append(f"{len(pairs)} rounds, of which the median ratio decides: an interval needs {needed}")
    else:
        said.append(f"{len(pairs)} rounds: median ratios, each bound with {confidence * 100:g} % confidence")
    lost = Counter(metric for _, metric in comparison.unmeasured(pairs))
    if lost:
        counted = ", ".join(f"{metric} of {count} benches" for metric, count in lost.items())
        said.append(f"in the baseline and not in {pairs[0][0].source}: {counted}")
    return said


def write_json(path: Path, result: Report) -> None:
    text = json.dumps(report.as_json(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if path == Path("-"):
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(path, f"cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
