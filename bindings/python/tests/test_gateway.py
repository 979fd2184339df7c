"""`ron_app_sdk.testing`: a real gateway, with faults where asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ron_app_sdk import ServerError, address_of
from ron_app_sdk.testing import Gateway, GatewayError, find_gateway


def test_faults_come_by_keyword_and_are_counted() -> None:
    with Gateway(error_5xx=1, retry_after_ms=1, seed=7) as gateway:
        assert gateway.faults()["seed"] == 7
        with pytest.raises(ServerError) as caught:
            gateway.client(backoff_max_attempts=2, backoff_base_ms=1).storage_put(b"x")
        assert caught.value.attempts == 2
        assert gateway.faults()["fired"] == {"error_before": 2}
        gateway.disarm()
        assert gateway.client().storage_put(b"x") == address_of(b"x")
        assert "ron_gateway_faults_injected_total" in gateway.metrics()


def test_rules_and_latency_come_by_keyword() -> None:
    rules = [{"fault": "error_before", "operation": "storage.put", "times": 1}]
    with Gateway(rules=rules, latency=(50, 60, 70)) as gateway:
        began = time.monotonic()
        gateway.client(backoff_base_ms=1).storage_put(b"x")
        assert time.monotonic() - began > 0.04
        fired = gateway.faults()["fired"]
        assert fired["error_before"] == 1
        assert fired["latency"] >= 1


def test_a_plan_that_breaks_a_rule_is_refused_with_what_the_gateway_says() -> None:
    with pytest.raises(GatewayError, match="RON_GATEWAY_FAULT_5XX"):
        Gateway(error_5xx=2)
    with Gateway() as gateway, pytest.raises(GatewayError, match="400"):
        gateway.arm({"fault": "no such fault"})


def test_it_stops_with_its_context_and_twice_is_well() -> None:
    with Gateway() as gateway:
        process = gateway._process
        assert process.poll() is None
    assert process.poll() is not None
    gateway.stop()


def test_it_ends_with_the_process_that_started_it_however_that_ends() -> None:
    code = "import os, ron_app_sdk.testing as t; g = t.Gateway(); print(g._process.pid, flush=True); os._exit(1)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 15
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What has ended and was not waited for is still listed.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_program_is_found_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ron-gateway"
    program.touch(mode=0o755)
    assert find_gateway(program) == program
    monkeypatch.setenv("RON_GATEWAY_BIN", str(program))
    assert find_gateway() == program
    monkeypatch.setenv("RON_GATEWAY_BIN", str(tmp_path / "nothing"))
    with pytest.raises(GatewayError, match="nothing"):
        find_gateway()
    monkeypatch.delenv("RON_GATEWAY_BIN")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert find_gateway() == program
    program.rename(tmp_path / "other")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GatewayError, match="pip install ron-gateway"):
        find_gateway()
    (tmp_path / "other").rename(program)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert find_gateway() == program
