"""The examples, and the code of the documents, run against a gateway."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ron_app_sdk import address_of
from ron_app_sdk.testing import Gateway, find_gateway

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples/python"
DOCUMENTS = [
    "README.md",
    "docs/PYTHON.md",
    "bindings/python/README.md",
    "bindings/python/python/ron_app_sdk/testing.py",
    "bindings/python/python/ron_app_sdk/_asynchronous.py",
]

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are in the repository only")


def run(gateway: Gateway, *command: str | Path, cwd: Path | None = None) -> str:
    environment = os.environ | gateway.environment | {"RON_GATEWAY_BIN": str(find_gateway())}
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_quickstart(ron_gateway: Gateway, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for file in (ROOT / "README.md", empty):
        said = run(ron_gateway, EXAMPLES / "quickstart.py", file)
        assert said.count("verified, equal to the file") == 2
        assert "index_resolve" in said


def test_quickstart_says_what_is_wrong_in_a_line(ron_gateway: Gateway, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "quickstart.py"), str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("quickstart: ")
    assert done.stderr.count("\n") == 1


def test_worker(ron_gateway: Gateway) -> None:
    said = run(ron_gateway, EXAMPLES / "worker.py")
    assert said.count(" words") == 3
    assert said.count("is given back") == 16
    assert "is a dead letter after 16 deliveries" in said


def test_many_files(ron_gateway: Gateway, tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    for n in range(100):
        (tmp_path / f"{n % 7}").mkdir(exist_ok=True)
        (tmp_path / f"{n % 7}" / f"{n:03}.txt").write_text(f"file {n}")
    (tmp_path / "large").write_bytes(bytes(1_015_809))
    lines = run(ron_gateway, EXAMPLES / "many_files.py", tmp_path).splitlines()
    assert len(lines) == 100
    assert f"{address_of(b'file 0')} 0/000.txt" in lines


def test_latency_under_faults(ron_gateway: Gateway, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = run(ron_gateway, EXAMPLES / "latency_under_faults.py", tmp_path / "drawn.svg", "160")
    assert said.count(" 160 ") == 4
    assert (tmp_path / "drawn.svg").read_text().startswith("<?xml")


def code_of(document: str) -> list[str]:
    text = (ROOT / document).read_text()
    return [
        re.sub(r"(?m)^    ", "", code) if document.endswith("_asynchronous.py") else code
        for code in re.findall(r"(?ms)^ *```python\n(.*?)^ *```$", text)
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_code_of_documents_runs(ron_gateway: Gateway, document: str, tmp_path: Path) -> None:
    codes = code_of(document)
    assert codes
    for number, code in enumerate(codes):
        if re.search(r"(?m)^(async with|.*\bawait )", code) and "async def" not in code:
            code = (
                "async def main():\n" + re.sub(r"(?m)^(?=.)", "    ", code) + "\nimport asyncio\nasyncio.run(main())\n"
            )
        program = tmp_path / f"{number}.py"
        names = "Gateway" if document.endswith("testing.py") else "AsyncRonAppSdk, RonAppSdk"
        module = "ron_app_sdk.testing" if document.endswith("testing.py") else "ron_app_sdk"
        program.write_text(f"from {module} import {names}\n" + code)
        if "def test_" in code:
            run(ron_gateway, "-m", "pytest", "-p", "no:cacheprovider", "-q", program, cwd=tmp_path)
        else:
            run(ron_gateway, program, cwd=tmp_path)
