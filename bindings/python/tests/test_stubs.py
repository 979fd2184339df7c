"""The stubs say what the module has, and type checkers take what people write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ron_app_sdk

TESTS = Path(__file__).parent


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_stubs_are_those_of_the_module(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    allowlist = str(TESTS / "stubtest_allowlist.txt")
    run("mypy.stubtest", "ron_app_sdk", "--allowlist", allowlist, "--ignore-unused-allowlist", cwd=tmp_path)


USES = """
import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import assert_type
from ron_app_sdk import AsyncRonAppSdk, Body, Capability, Message, MetricSample, NotFoundError, RonAppSdk, RonError
from ron_app_sdk import Settings

settings: Settings = {"gateway_addr": "https://a", "timeouts_connect_ms": timedelta(seconds=1)}
sdk = RonAppSdk(capability=Capability("x"), timeout=2.5, **settings)
assert_type(sdk.ready().transport.error, RonError | None)
assert_type(sdk.metrics(), dict[str, list[MetricSample]])

def provide() -> Capability:
    return Capability("x")

RonAppSdk(capability=provide)
assert_type(sdk.storage_put(b"x", timeout=timedelta(seconds=1)), str)
body = sdk.storage_get("b3:")
assert_type(body, Body)
assert_type(body[0], int)
assert_type(body[1:], Body)
assert_type(bytes(body), bytes)
memoryview(body)
sdk.storage_put(body)
sdk.mailbox_send("t", bytearray(b"x"), attributes={"a": "b"})
assert_type(sdk.mailbox_receive("t", max_messages=3), list[Message])
try:
    sdk.index_resolve("n")
except NotFoundError as error:
    assert_type(error.retry_after, float | None)

async def provide_later() -> Capability:
    return Capability("x")

async def main() -> None:
    AsyncRonAppSdk(capability=provide_later)
    async with AsyncRonAppSdk.from_env(pool_max=2) as asynchronous:
        assert_type(await asynchronous.storage_get("b3:"), Body)
        assert_type(await asyncio.gather(asynchronous.storage_put(b""), asynchronous.edge_get("/")), tuple[str, Body])
"""

MISUSES = {
    "RonAppSdk(pool_min=1)": "pool_min",
    'RonAppSdk(pool_max="two")': "pool_max",
    'RonAppSdk().storage_put("text")': "storage_put",
    'RonAppSdk().storage_get_range("b3:", slice(0, 1))': "storage_get_range",
    'RonAppSdk().storage_get("b3:", timeout="1")': "storage_get",
    'RonAppSdk().storage_get("b3:", 5)': "storage_get",
}


def test_mypy_takes_what_is_right_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "uses.py").write_text(USES)
    run("mypy", "--strict", "uses.py", cwd=tmp_path)
    lines = ["from ron_app_sdk import RonAppSdk", *MISUSES]
    (tmp_path / "misuses.py").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "misuses.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    for number, named in enumerate(MISUSES.values(), start=2):
        said, *_ = [line for line in done.stdout.splitlines() if line.startswith(f"misuses.py:{number}: error")]
        assert named in said


def test_pyright_takes_what_is_right_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    (tmp_path / "uses.py").write_text(USES)
    interpreter = ["--pythonpath", sys.executable]
    run("pyright", *interpreter, "uses.py", cwd=tmp_path)
    lines = ["from ron_app_sdk import RonAppSdk", *MISUSES]
    (tmp_path / "misuses.py").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pyright", *interpreter, "misuses.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    for number in range(2, len(lines) + 1):
        assert f"misuses.py:{number}:" in done.stdout, done.stdout


def test_what_is_public_is_listed() -> None:
    assert dir(ron_app_sdk) == sorted(ron_app_sdk.__all__)
    for name in ron_app_sdk.__all__:
        assert getattr(ron_app_sdk, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ron_app_sdk.nothing
