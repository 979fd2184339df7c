"""The JSON of the overhead harness: an array with one object for each contender and work."""

from pathlib import Path

from .figures import Bench, Figure, InputError, Metric, Run, checked

NANOSECONDS_PER_MICROSECOND = 1e3
REQUIRED = ("work", "client", "clients", "payload", "p50_us", "p95_us", "p99_us", "ops_s")


def read_rows(rows: list[object], source: Path) -> Run:
    """Members that are not known here are left alone: the harness may say more."""
    run = Run(source)
    for number, row in enumerate(rows, start=1):
        where = f"entry {number}"
        if not isinstance(row, dict):
            raise InputError(source, f"{where}: expected an object, found {row!r}")
        missing = [name for name in REQUIRED if name not in row]
        if missing:
            raise InputError(source, f"{where}: expected {', '.join(REQUIRED)}; found no {', '.join(missing)}")
        name = bench_name(row, source, where)
        if name in run.benches:
            raise InputError(source, f"{where}: bench `{name}` is there twice")
        run.benches[name] = _bench(row, source, where)
    if not run.benches:
        raise InputError(source, "expected at least one entry, found an empty array")
    return run


def bench_name(row: dict[str, object], source: Path, where: str) -> str:
    """`get/64 KiB/16 callers/sdk-blocking`"""
    for name in ("work", "client"):
        if not isinstance(row[name], str) or not row[name]:
            raise InputError(source, f"{where}: expected a text as `{name}`, found {row[name]!r}")
    callers, payload = row["clients"], row["payload"]
    if isinstance(callers, bool) or not isinstance(callers, int) or callers < 1:
        raise InputError(source, f"{where}: expected a count of callers as `clients`, found {callers!r}")
    if isinstance(payload, bool) or not isinstance(payload, int) or payload < 0:
        raise InputError(source, f"{where}: expected a count of bytes as `payload`, found {payload!r}")
    return f"{row['work']}/{size(payload)}/{callers} caller{'s' if callers > 1 else ''}/{row['client']}"


def size(count: int) -> str:
    """A count of bytes in the largest unit that divides it."""
    for unit, scale in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if count >= scale and count % scale == 0:
            return f"{count // scale} {unit}"
    return f"{count} B"


def _bench(row: dict[str, object], source: Path, where: str) -> Bench:
    bench = {
        metric: Figure(checked(row[name], name, source, where) * NANOSECONDS_PER_MICROSECOND)
        for metric, name in ((Metric.P50, "p50_us"), (Metric.P95, "p95_us"), (Metric.P99, "p99_us"))
    }
    bench[Metric.THROUGHPUT] = Figure(checked(row["ops_s"], "ops_s", source, where))
    # The peak, where a system tells it, else what was resident at the end.
    memory = next((name for name in ("rss_peak_kib", "rss_kib") if row.get(name) is not None), None)
    if memory is not None:
        bench[Metric.RSS] = Figure(checked(row[memory], memory, source, where))
    return bench
