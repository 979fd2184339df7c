#!/usr/bin/env python3
"""Lets a Prometheus of its own scrape a service, and asks it what the alerts and the dashboard would.

scripts/scrape.py FOLDER HOST:PORT    Prometheus keeps its data in FOLDER; the service answers /metrics
"""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# What a service that stores and fetches, at a gateway that fails one answer in five, has to show.
EXPECTED = [
    'sum(sdk_requests_total{endpoint="storage.put",outcome="ok"}) > 5',
    'sum(sdk_requests_total{endpoint="storage.get",outcome="ok"}) > 5',
    'sum(sdk_request_latency_seconds_count{endpoint="storage.get"}) > 5',
    "histogram_quantile(0.95, sum by (le) (sdk_request_latency_seconds_bucket)) < 60",
    'sum(sdk_backoff_retries_total{reason="server"}) > 0',
    'sum(sdk_integrity_verify_total{outcome="ok"}) > 10',
    "sdk_storage_put_bytes_total > 0",
    "sdk_storage_get_bytes_total > 0",
    'sdk_io_timeouts_total{op="read"} == 0',
    'sdk_oap_violations_total{kind="frame"} == 0',
    'sdk_auth_failures_total{reason="expired"} == 0',
    "sum(sdk_inflight_requests) >= 0",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def expressions(node: Any) -> Iterator[str]:
    """The queries of a dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def as_asked(expression: str) -> str:
    """A query with Grafana's variables filled in."""
    return re.sub(r"\$(job|endpoint)", ".*", expression.replace("$__rate_interval", "1m"))


class Prometheus:
    def __init__(self, folder: Path, service: str) -> None:
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ROOT / "docs/observability/alerts.yaml")],
            "scrape_configs": [{"job_name": "example", "static_configs": [{"targets": [service]}]}],
        }
        # JSON is YAML too.
        (folder / "prometheus.yml").write_text(json.dumps(settings))
        self.address = f"127.0.0.1:{free_port()}"
        self.log = (folder / "log").open("w")
        command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        self.process = subprocess.Popen(
            [*command, f"--web.listen-address={self.address}"], stdout=self.log, stderr=self.log
        )

    def get(self, path: str, **arguments: str) -> Any:
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=5) as answer:
            return json.load(answer)["data"]

    def holds(self, expression: str) -> bool:
        return bool(self.get("query", query=expression)["result"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


def missing(prometheus: Prometheus) -> list[str]:
    try:
        return [expression for expression in EXPECTED if not prometheus.holds(expression)]
    except OSError as error:
        return [str(error)]


def main(folder: Path, service: str) -> int:
    prometheus = Prometheus(folder, service)
    try:
        until = time.monotonic() + 60
        while wrong := missing(prometheus):
            if time.monotonic() > until or prometheus.process.poll() is not None:
                print("Prometheus does not have:", *wrong, (folder / "log").read_text()[-2000:], sep="\n  ")
                return 1
            time.sleep(0.5)
        target = prometheus.get("targets")["activeTargets"][0]
        rules = prometheus.get("rules")["groups"][0]["rules"]
        unwell = [rule["name"] for rule in rules if rule["health"] == "err"]
        if target["health"] != "up" or unwell or len(rules) != 5:
            print(f"target {target['health']}: {target['lastError']}; rules that cannot be evaluated: {unwell}")
            return 1
        dashboard = json.loads((ROOT / "docs/observability/dashboard.json").read_text())
        queries = list(expressions(dashboard))
        for expression in queries:
            # An error is an HTTP status, which raises.
            prometheus.get("query", query=as_asked(expression))
        metadata = prometheus.get("metadata")
        known = sorted(name for name in metadata if name.startswith("sdk_"))
        print(f"Prometheus has {len(known)} metrics of the SDK, {len(rules)} rules and answers {len(queries)} queries")
        return 0
    finally:
        prometheus.stop()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2]))
