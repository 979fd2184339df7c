"""What a run measured: benches by name, each with its figures."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Metric(StrEnum):
    """A figure of a bench. Times are in nanoseconds, throughput is per second, memory is in KiB."""

    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    THROUGHPUT = "throughput"
    RSS = "rss"

    @property
    def more_is_better(self) -> bool:
        return self is Metric.THROUGHPUT


@dataclass(frozen=True)
class Figure:
    """A value, and how much larger the true one may be because the input cut off its fraction."""

    value: float
    cut_off: float = 0.0


Bench = dict[Metric, Figure]


@dataclass
class Run:
    """One input: a file, or a folder that Criterion wrote."""

    source: Path
    benches: dict[str, Bench] = field(default_factory=dict)
    # What p50 is where it is not the median of calls, for the reader of a comparison.
    median_is: str | None = None

    def has_percentiles(self) -> bool:
        return any(Metric.P95 in bench for bench in self.benches.values())

    def only(self, wanted: Iterable[str]) -> "Run":
        names = set(wanted)
        kept = {name: bench for name, bench in self.benches.items() if name in names}
        return Run(self.source, kept, self.median_is)


class InputError(Exception):
    """An input that cannot be used: which file, which line, and what was expected."""

    def __init__(self, source: Path, message: str, line: int | None = None) -> None:
        place = f"{source}:{line}" if line is not None else str(source)
        super().__init__(f"{place}: {message}")


def checked(value: object, name: str, source: Path, where: str) -> float:
    """A number that can be compared: finite and above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(source, f"{where}: expected a number as `{name}`, found {value!r}")
    if not math.isfinite(value) or value <= 0:
        raise InputError(source, f"{where}: expected `{name}` above 0, found {value!r}")
    return float(value)


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    rank = max(1, math.ceil(len(ordered) * percent / 100))
    return ordered[rank - 1]
