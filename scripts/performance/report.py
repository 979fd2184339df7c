"""A comparison as a table for people, and as JSON for programs."""

from dataclasses import dataclass, field
from typing import Any

from .comparison import NOTABLE, Limits, Row, Verdict
from .figures import Metric
from .waivers import Waiver

FAILING = (Verdict.REGRESSED, Verdict.VANISHED)
WITHOUT_FIGURES = {
    Verdict.NEW: "new bench",
    Verdict.VANISHED: "VANISHED bench",
    Verdict.WAIVED: "vanished bench, waived",
}


@dataclass
class Report:
    new: str
    base: str
    rounds: int
    confidence: float
    limits: Limits
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    waivers: list[Waiver] = field(default_factory=list)

    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.verdict in FAILING]


def as_text(report: Report, *, everything: bool) -> str:
    lines = [f"new   {report.new}", f"base  {report.base}"]
    lines += [f"note: {note}" for note in report.notes]
    lines.append("")
    compared = [row for row in report.rows if row.metric is not None]
    shown = [row for row in compared if everything or row.verdict is not Verdict.SAME]
    if shown:
        lines += _table(shown)
    hidden = len(compared) - len(shown)
    if hidden:
        lines.append(f"{hidden} figures show no change of {NOTABLE * 100:g} % or more")
    for row in report.rows:
        if row.metric is None:
            lines.append(f"{WITHOUT_FIGURES[row.verdict]}: {row.bench}")
    lines += ["", _summary(report)]
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    return {
        "verdict": "regressed" if report.failures() else "fine",
        "new": report.new,
        "base": report.base,
        "rounds": report.rounds,
        "confidence": report.confidence,
        "limits": {"p95": report.limits.p95, "throughput": report.limits.throughput, "rss": report.limits.rss},
        "notes": report.notes,
        "waivers": [str(waiver) for waiver in report.waivers],
        "rows": [
            {
                "bench": row.bench,
                "metric": row.metric.value if row.metric else None,
                "verdict": row.verdict.value,
                "base": row.base,
                "new": row.new,
                "change": row.change,
                "interval": list(row.interval) if row.interval else None,
                "limit": row.limit,
            }
            for row in report.rows
        ],
    }


def _table(rows: list[Row]) -> list[str]:
    cells = [("bench", "figure", "base", "new", "change", "interval", "limit", "")]
    for row in rows:
        assert row.metric is not None and row.base is not None and row.new is not None and row.change is not None
        sign = -1 if row.metric.more_is_better else 1
        verdict = row.verdict.value.upper() if row.verdict in FAILING else row.verdict.value
        cells.append(
            (
                row.bench,
                row.metric.value,
                _amount(row.metric, row.base),
                _amount(row.metric, row.new),
                _percent(row.change),
                f"{_percent(row.interval[0])} … {_percent(row.interval[1])}" if row.interval else "",
                _percent(sign * row.limit) if row.limit is not None else "",
                verdict,
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    # Without rounds there is no interval to show.
    columns = [column for column, width in enumerate(widths) if width and any(line[column] for line in cells[1:])]
    return [
        "  ".join(
            line[column].ljust(widths[column]) if column in (0, 1, 7) else line[column].rjust(widths[column])
            for column in columns
        ).rstrip()
        for line in cells
    ]


def _amount(metric: Metric, value: float) -> str:
    match metric:
        case Metric.RSS:
            return f"{value / 1024:.1f} MiB"
        case Metric.THROUGHPUT:
            return _scaled(value, (("G/s", 1e9), ("M/s", 1e6), ("k/s", 1e3), ("/s", 1.0)))
        case _:
            return _scaled(value, (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)))


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    unit, scale = next((pair for pair in units if value >= pair[1]), units[-1])
    scaled = value / scale
    digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
    return f"{scaled:.{digits}f} {unit}"


def _percent(part: float) -> str:
    return f"{part * 100:+.1f} %".replace("-", "\N{MINUS SIGN}")


def _summary(report: Report) -> str:
    counts = {verdict: sum(row.verdict is verdict for row in report.rows) for verdict in Verdict}
    said = [
        f"{counts[verdict]} {name}"
        for verdict, name in (
            (Verdict.REGRESSED, "regressed"),
            (Verdict.VANISHED, "vanished"),
            (Verdict.WAIVED, "waived"),
            (Verdict.UNCLEAR, "unclear"),
            (Verdict.WORSE, "worse"),
            (Verdict.BETTER, "better"),
        )
        if counts[verdict]
    ]
    return f"{'FAILED' if report.failures() else 'passed'}: {', '.join(said) or 'nothing moved'}"
