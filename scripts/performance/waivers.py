"""Waivers: regressions that are accepted for a while (`testing/performance/waivers.toml`).

    [[waiver]]
    bench = "get/64 KiB/*"           # shell pattern: *, ?, [abc]
    metric = "p95"                   # p50, p95, throughput, rss or vanished
    up_to = 0.20                     # optional: how much worse is accepted, 20 % here
    issue = "https://…/issues/12"
    analysis = "docs/PERFORMANCE.md" # a file in the repository, or a link
    until = 2026-12-31               # the last day on which it counts

A waiver that has ended, or that lacks something, is an error of its own.
"""

import datetime
import fnmatch
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .comparison import Row, Verdict
from .figures import InputError, Metric

VANISHED = "vanished"
METRICS = (Metric.P50.value, Metric.P95.value, Metric.THROUGHPUT.value, Metric.RSS.value, VANISHED)
REQUIRED = ("bench", "metric", "issue", "analysis", "until")
LINKS = ("https://", "http://")


@dataclass(frozen=True)
class Waiver:
    bench: str
    metric: str
    issue: str
    analysis: str
    until: datetime.date
    up_to: float | None = None

    def names(self, bench: str) -> bool:
        return fnmatch.fnmatchcase(bench, self.bench)

    def accepts(self, row: Row) -> bool:
        metric = VANISHED if row.verdict is Verdict.VANISHED else row.metric
        if self.metric != metric or not self.names(row.bench):
            return False
        return self.up_to is None or row.worsening() <= self.up_to + 1e-9

    def __str__(self) -> str:
        return f"`{self.bench}`, {self.metric}, until {self.until}, {self.issue}"


def read(path: Path, root: Path, today: datetime.date) -> list[Waiver]:
    """Every waiver of the file, each complete and not yet ended. `root` is where paths of analyses begin."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(path, f"expected UTF-8, byte {error.start} is not") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, f"expected TOML: {error}") from error
    unknown = set(document) - {"waiver"}
    if unknown:
        raise InputError(path, f"expected only [[waiver]], found `{min(unknown)}`")
    entries = document.get("waiver", [])
    if not isinstance(entries, list):
        raise InputError(path, "expected [[waiver]], an array of tables")
    return [_waiver(entry, f"waiver {number}", path, root, today) for number, entry in enumerate(entries, start=1)]


def apply(waivers: Iterable[Waiver], rows: list[Row]) -> set[Waiver]:
    """Marks what is accepted, and returns the waivers that were needed for that."""
    used = set()
    for row in rows:
        if row.verdict not in (Verdict.REGRESSED, Verdict.VANISHED):
            continue
        accepting = [waiver for waiver in waivers if waiver.accepts(row)]
        if accepting:
            used.update(accepting)
            row.verdict = Verdict.WAIVED
    return used


def _waiver(entry: object, where: str, path: Path, root: Path, today: datetime.date) -> Waiver:
    if not isinstance(entry, dict):
        raise InputError(path, f"{where}: expected a table, found {entry!r}")
    missing = [name for name in REQUIRED if name not in entry]
    if missing:
        raise InputError(path, f"{where}: expected {', '.join(REQUIRED)}; found no {', '.join(missing)}")
    unknown = set(entry) - {*REQUIRED, "up_to"}
    if unknown:
        raise InputError(path, f"{where}: expected only {', '.join(REQUIRED)} and up_to, found `{min(unknown)}`")
    for name in ("bench", "metric", "issue", "analysis"):
        if not isinstance(entry[name], str) or not entry[name].strip():
            raise InputError(path, f"{where}: expected a text as `{name}`, found {entry[name]!r}")
    if entry["metric"] not in METRICS:
        raise InputError(path, f"{where}: expected one of {', '.join(METRICS)} as `metric`, found `{entry['metric']}`")
    if not entry["issue"].startswith(LINKS):
        raise InputError(path, f"{where}: expected a link as `issue`, found `{entry['issue']}`")
    _check_analysis(entry["analysis"], where, path, root)
    until = entry["until"]
    # A datetime is a date too, but the day is what counts.
    if not isinstance(until, datetime.date) or isinstance(until, datetime.datetime):
        raise InputError(path, f"{where}: expected a date without quotes like 2026-12-31 as `until`, found {until!r}")
    if until < today:
        raise InputError(path, f"{where}: `{entry['bench']}`, {entry['metric']} ended on {until}: fix it or renew it")
    return Waiver(entry["bench"], entry["metric"], entry["issue"], entry["analysis"], until, _up_to(entry, where, path))


def _check_analysis(analysis: str, where: str, path: Path, root: Path) -> None:
    if analysis.startswith(LINKS):
        return
    file = root / analysis.split("#", 1)[0]
    if not file.is_file():
        raise InputError(path, f"{where}: `analysis` names `{analysis}`, neither a link nor a file here")


def _up_to(entry: dict[str, object], where: str, path: Path) -> float | None:
    value = entry.get("up_to")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10:
        raise InputError(path, f"{where}: expected a part like 0.20 (20 %) as `up_to`, found {value!r}")
    return float(value)
