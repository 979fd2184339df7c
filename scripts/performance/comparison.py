"""Judges a new run against a base run, or many rounds of both.

With one run of each, the ratio of the two figures decides. With enough rounds, each round gives a ratio of two
neighbours in time, and a gate fails only where the bound of a confidence interval for the median ratio is beyond the
limit. The interval is that of the sign test: it assumes nothing of how the ratios are distributed, so that a burst of
noise in a few rounds cannot decide.
"""

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum

from .figures import Bench, InputError, Metric, Run

# What is not above this is not worth a line.
NOTABLE = 0.02


@dataclass(frozen=True)
class Limits:
    """By how much a figure may get worse: 0.10 is 10 %."""

    p95: float = 0.10
    throughput: float = 0.10
    rss: float = 0.15

    def of(self, metric: Metric) -> float | None:
        """The median has the limit of p95, and takes its place where the input has no percentiles."""
        match metric:
            case Metric.P50 | Metric.P95:
                return self.p95
            case Metric.THROUGHPUT:
                return self.throughput
            case Metric.RSS:
                return self.rss
            case Metric.P99:
                return None


class Verdict(StrEnum):
    REGRESSED = "regressed"
    WAIVED = "waived"
    # Beyond the limit, but the rounds do not show it with confidence.
    UNCLEAR = "unclear"
    WORSE = "worse"
    SAME = "same"
    BETTER = "better"
    VANISHED = "vanished"
    NEW = "new"


@dataclass
class Row:
    """One figure of one bench. `change` is new over base less 1; the interval is of `change` too."""

    bench: str
    metric: Metric | None
    verdict: Verdict
    base: float | None = None
    new: float | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None
    limit: float | None = None

    def worsening(self) -> float:
        """How much worse, also for throughput, where less is worse."""
        if self.change is None or self.metric is None:
            return 0.0
        return -self.change if self.metric.more_is_better else self.change

    def severity(self) -> float:
        """In limits, for sorting: 1 is at the limit."""
        if self.verdict is Verdict.VANISHED:
            return math.inf
        if self.limit is None:
            return self.worsening()
        return self.worsening() / max(self.limit, 1e-9)


def compare(pairs: list[tuple[Run, Run]], limits: Limits, confidence: float) -> list[Row]:
    """Rows, the worst first."""
    new_names = _names([new for new, _ in pairs])
    base_names = _names([base for _, base in pairs])
    if not new_names & base_names:
        raise InputError(pairs[0][0].source, f"has no bench in common with {pairs[0][1].source}")
    rows = [Row(name, None, Verdict.VANISHED) for name in base_names - new_names]
    rows += [Row(name, None, Verdict.NEW) for name in new_names - base_names]
    for name in new_names & base_names:
        benches = [(new.benches[name], base.benches[name]) for new, base in pairs]
        for metric in Metric:
            if all(metric in new and metric in base for new, base in benches):
                rows.append(_row(name, metric, benches, limits.of(metric), confidence))
    return sorted(rows, key=lambda row: (-row.severity(), row.bench, row.metric or ""))


def unmeasured(pairs: list[tuple[Run, Run]]) -> list[tuple[str, Metric]]:
    """What the base has a figure for and the new run has none."""
    new, base = pairs[0]
    return [
        (name, metric)
        for name in sorted(set(new.benches) & set(base.benches))
        for metric in base.benches[name]
        if metric not in new.benches[name]
    ]


def median_bounds(values: list[float], confidence: float) -> tuple[float, float] | None:
    """Below which and above which the median lies with `confidence`, each; None where there are too few values.

    The k-th smallest of n values exceeds the median only if fewer than k of them are below it: that many successes of
    n tosses of a coin. (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2.)
    """
    count, rank, tail = len(values), 0, 0.0
    while rank < count:
        tail += math.comb(count, rank) / 2**count
        if tail > 1 - confidence:
            break
        rank += 1
    if rank == 0 or 2 * rank > count:
        return None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[count - rank]


def rounds_needed(confidence: float) -> int:
    """The fewest rounds for which there is an interval."""
    return max(2, math.ceil(-math.log2(1 - confidence) - 1e-9))


def _names(runs: list[Run]) -> set[str]:
    names = set(runs[0].benches)
    for run in runs[1:]:
        different = names ^ set(run.benches)
        if different:
            raise InputError(run.source, f"bench `{min(different)}` is not in every round")
    return names


def _row(name: str, metric: Metric, benches: list[tuple[Bench, Bench]], limit: float | None, confidence: float) -> Row:
    ratios = [_ratio(new, base, metric) for new, base in benches]
    row = Row(
        name,
        metric,
        Verdict.SAME,
        base=statistics.median(base[metric].value for _, base in benches),
        new=statistics.median(new[metric].value for new, _ in benches),
        change=statistics.median(ratios) - 1,
        limit=limit,
    )
    bounds = median_bounds(ratios, confidence)
    if bounds is not None:
        row.interval = (bounds[0] - 1, bounds[1] - 1)
    row.verdict = _verdict(row)
    return row


def _ratio(new: Bench, base: Bench, metric: Metric) -> float:
    """What was cut off is counted for the new run: an input without fractions proves no more."""
    above, below = new[metric], base[metric]
    smallest, largest = above.value / (below.value + below.cut_off), math.inf
    if below.value > 0:
        largest = (above.value + above.cut_off) / below.value
    return min(max(1.0, smallest), largest)


def _verdict(row: Row) -> Verdict:
    worse = row.worsening()
    # A sum of floating-point rounding must not put a figure that is exactly at its limit beyond it.
    beyond = row.limit is not None and worse > row.limit + 1e-9
    if row.interval is None:
        if beyond:
            return Verdict.REGRESSED
        if abs(worse) < NOTABLE:
            return Verdict.SAME
        return Verdict.WORSE if worse > 0 else Verdict.BETTER
    low, high = row.interval
    if row.metric is not None and row.metric.more_is_better:
        low, high = -high, -low
    if row.limit is not None and low > row.limit + 1e-9:
        return Verdict.REGRESSED
    if beyond:
        return Verdict.UNCLEAR
    if abs(worse) >= NOTABLE and (low > 0 or high < 0):
        return Verdict.WORSE if worse > 0 else Verdict.BETTER
    return Verdict.SAME
