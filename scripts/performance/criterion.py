"""Criterion's output: its two texts, and the folder that it keeps (`target/criterion`)."""

import json
import re
import statistics
from pathlib import Path

from .figures import Bench, Figure, InputError, Metric, Run, checked, percentile

# `--output-format bencher`, and the standard library's `cargo bench`. The figure is the median, its fraction cut off.
BENCHER = re.compile(r"^test (?P<name>.+?) \.\.\. bench:\s+(?P<rest>.*)$")
BENCHER_REST = re.compile(r"^(?P<value>[\d,]+(?:\.\d+)?) (?P<unit>\w+)/iter(?: \(\+/- [\d,.]+\))?(?: = [\d,]+ MB/s)?$")
# The ordinary text. A name of more than 23 characters stands on a line of its own.
ORDINARY = re.compile(r"^(?P<name>\S.*?)?\s+(?P<kind>time|thrpt):\s+\[(?P<values>[^\]]*)\](?P<rest>.*)$")
PROGRESS = re.compile(r"^Benchmarking ")

NANOSECONDS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9}
RATE = re.compile(r"^(?P<prefix>[KMGT]?)(?P<binary>i?)(?P<unit>B|b|elem|bits)/s$")
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}

ESTIMATE = "Criterion's estimate (slope or mean)"
OF_SAMPLES = "of samples, each the mean of many iterations"


def read_text(text: str, source: Path) -> Run:
    """Both of Criterion's texts, also mixed with what cargo says."""
    run = Run(source)
    last_name: str | None = None
    open_name: str | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        # On a terminal, progress is overwritten.
        line = raw.rstrip().rsplit("\r", 1)[-1]
        if match := BENCHER.match(line):
            _add(run, match["name"], Metric.P50, _bencher(match["rest"], source, number), number)
        elif match := ORDINARY.match(line):
            # Criterion's own comparison with its last run, in percent.
            if "%" in match["values"]:
                continue
            if match["kind"] == "time":
                open_name = match["name"] or last_name
            name = open_name
            if name is None:
                raise InputError(source, f"expected the name of a bench before `{match['kind']}:`", number)
            metric, value = _ordinary(match["kind"], match["values"], source, number)
            if metric is Metric.P50:
                run.median_is = ESTIMATE
            _add(run, name, metric, Figure(value), number)
        elif line and not line[0].isspace() and not PROGRESS.match(line):
            last_name = line
    if not run.benches:
        raise InputError(
            source,
            "expected lines like `test NAME ... bench: 1,234 ns/iter (+/- 56)` or `NAME time: [1.0 µs 1.1 µs 1.2 µs]`,"
            " found none",
        )
    return run


def read_folder(folder: Path) -> Run:
    """The latest run below `target/criterion`, from its samples. Only this form has percentiles."""
    run = Run(folder, median_is=OF_SAMPLES)
    for estimates in sorted(folder.glob("**/new/estimates.json")):
        place = estimates.parent
        description = _object(place / "benchmark.json")
        name = description.get("full_id")
        if not isinstance(name, str):
            raise InputError(place / "benchmark.json", f"expected a text as `full_id`, found {name!r}")
        if name in run.benches:
            raise InputError(place / "benchmark.json", f"bench `{name}` is there twice")
        run.benches[name] = _samples(place / "sample.json", description.get("throughput"))
    return run


def is_folder(folder: Path) -> bool:
    return next(folder.glob("**/new/estimates.json"), None) is not None


def _samples(source: Path, throughput: object) -> Bench:
    sample = _object(source)
    iterations, times = sample.get("iters"), sample.get("times")
    if not isinstance(iterations, list) or not isinstance(times, list) or len(iterations) != len(times) or not times:
        raise InputError(source, "expected `iters` and `times` of the same length")
    means = sorted(
        checked(time, "times", source, f"sample {at}") / checked(count, "iters", source, f"sample {at}")
        for at, (count, time) in enumerate(zip(iterations, times, strict=True), start=1)
    )
    bench = {
        # Of an even number of samples between the two in the middle, like Criterion's own.
        Metric.P50: Figure(statistics.median(means)),
        Metric.P95: Figure(percentile(means, 95)),
        Metric.P99: Figure(percentile(means, 99)),
    }
    if isinstance(throughput, dict):
        for amount in throughput.values():
            units = checked(amount, "throughput", source.with_name("benchmark.json"), "the bench")
            bench[Metric.THROUGHPUT] = Figure(units * 1e9 / bench[Metric.P50].value)
    return bench


def _object(source: Path) -> dict[str, object]:
    try:
        value = json.loads(source.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(source, f"expected JSON: {error.msg}", error.lineno) from error
    if not isinstance(value, dict):
        raise InputError(source, f"expected a JSON object, found {type(value).__name__}")
    return value


def _bencher(rest: str, source: Path, number: int) -> Figure:
    match = BENCHER_REST.match(rest)
    if match is None or match["unit"] not in NANOSECONDS:
        raise InputError(source, f"expected `1,234 ns/iter (+/- 56)` after `bench:`, found `{rest}`", number)
    scale = NANOSECONDS[match["unit"]]
    digits = len(match["value"].partition(".")[2])
    return Figure(float(match["value"].replace(",", "")) * scale, scale / 10**digits)


def _ordinary(kind: str, values: str, source: Path, number: int) -> tuple[Metric, float]:
    """The estimate, which stands between the bounds of its interval."""
    words = values.split()
    if len(words) != 6:
        raise InputError(source, f"expected three values with units in `{kind}: […]`, found `{values}`", number)
    try:
        value = float(words[2])
    except ValueError as error:
        raise InputError(source, f"expected a number in `{kind}: […]`, found `{words[2]}`", number) from error
    if value <= 0:
        raise InputError(source, f"expected a number above 0 in `{kind}: […]`, found `{words[2]}`", number)
    unit = words[3]
    if kind == "time":
        if unit not in NANOSECONDS:
            raise InputError(source, f"expected ps, ns, µs, ms or s as the unit of `time:`, found `{unit}`", number)
        return Metric.P50, value * NANOSECONDS[unit]
    rate = RATE.match(unit)
    if rate is None:
        raise InputError(source, f"expected a unit like MiB/s or Kelem/s in `thrpt:`, found `{unit}`", number)
    return Metric.THROUGHPUT, value * (1024 if rate["binary"] else 1000) ** POWERS[rate["prefix"]]


def _add(run: Run, name: str, metric: Metric, figure: Figure, number: int) -> None:
    bench = run.benches.setdefault(name, {})
    if metric in bench:
        raise InputError(run.source, f"bench `{name}` is there twice", number)
    bench[metric] = figure
