"""Recorded times, with what is needed to judge them: `testing/performance/baselines/ron-app-sdk/<bench>.json`.

    {
      "schema": "ron-performance-baseline/1",
      "bench": "sdk_benches",
      "recorded": {"date": "2026-11-24", "revision": "…", "compiler": "rustc …", "target": "…", "machine": "…"},
      "benches": {
        "storage_get/blocking/64KiB/1": {
          "p50_ns": 53000, "p95_ns": 61000, "p99_ns": 70000, "throughput_per_s": 18600, "rss_kib": 9000
        }
      }
    }

Each bench has `p50_ns`; the other figures are there where they are known. Every member of `recorded` is needed.
"""

import json
import re
from pathlib import Path

from .figures import Bench, Figure, InputError, Metric, Run, checked

SCHEMA = "ron-performance-baseline/1"
RECORDED = ("date", "revision", "compiler", "target", "machine")
MEMBERS = {
    Metric.P50: "p50_ns",
    Metric.P95: "p95_ns",
    Metric.P99: "p99_ns",
    Metric.THROUGHPUT: "throughput_per_s",
    Metric.RSS: "rss_kib",
}
SIGNIFICANT_DIGITS = 4


def read_document(document: dict[str, object], source: Path) -> Run:
    if document.get("schema") != SCHEMA:
        raise InputError(source, f"expected `schema` to be `{SCHEMA}`, found {document.get('schema')!r}")
    _check_header(document, source)
    benches = document.get("benches")
    if not isinstance(benches, dict) or not benches:
        raise InputError(source, "expected an object with at least one bench as `benches`")
    run = Run(source)
    for name, members in benches.items():
        run.benches[name] = _bench(name, members, source)
    median_is = document.get("median_is")
    if median_is is not None and not isinstance(median_is, str):
        raise InputError(source, f"expected a text as `median_is`, found {median_is!r}")
    run.median_is = median_is
    return run


def write_document(path: Path, bench: str, recorded: dict[str, str], run: Run) -> None:
    document: dict[str, object] = {"schema": SCHEMA, "bench": bench, "recorded": recorded}
    if run.median_is is not None:
        document["median_is"] = run.median_is
    document["benches"] = {
        name: {MEMBERS[metric]: _rounded(figures[metric].value) for metric in Metric if metric in figures}
        for name, figures in sorted(run.benches.items())
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check_header(document: dict[str, object], source: Path) -> None:
    if not isinstance(document.get("bench"), str):
        raise InputError(source, f"expected a text as `bench`, found {document.get('bench')!r}")
    recorded = document.get("recorded")
    if not isinstance(recorded, dict):
        raise InputError(source, f"expected an object with {', '.join(RECORDED)} as `recorded`")
    for name in RECORDED:
        if not isinstance(recorded.get(name), str) or not recorded[name]:
            raise InputError(source, f"expected a text as `recorded.{name}`, found {recorded.get(name)!r}")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", recorded["date"]):
        raise InputError(source, f"expected a date like 2026-11-24 as `recorded.date`, found {recorded['date']!r}")


def _bench(name: str, members: object, source: Path) -> Bench:
    where = f"bench `{name}`"
    if not isinstance(members, dict) or MEMBERS[Metric.P50] not in members:
        raise InputError(source, f"{where}: expected an object with `p50_ns`, found {members!r}")
    unknown = set(members) - set(MEMBERS.values())
    if unknown:
        raise InputError(source, f"{where}: expected only {', '.join(MEMBERS.values())}, found `{min(unknown)}`")
    return {
        metric: Figure(checked(members[member], member, source, where))
        for metric, member in MEMBERS.items()
        if member in members
    }


def _rounded(value: float) -> float | int:
    rounded = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
