"""What importing the package takes beyond the interpreter's own start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 20
SCRIPTS = {"nothing": "", "ron_app_sdk": "import ron_app_sdk", "asyncio": "import asyncio"}


def test_import_time() -> None:
    """Prints the medians, in turns so that what else the machine does meets all of them."""
    took: dict[str, list[float]] = {name: [] for name in SCRIPTS}
    for _ in range(ROUNDS):
        for name, script in SCRIPTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", script], check=True)
            took[name].append((time.perf_counter() - began) * 1000)
    start, ours, asyncio = (statistics.median(took[name]) for name in ("nothing", "ron_app_sdk", "asyncio"))
    print(f"\nthe interpreter alone {start:.1f} ms; beyond it: ron_app_sdk {ours - start:+.1f} ms", end="")
    print(f", asyncio {asyncio - start:+.1f} ms")
    # A sign that something large is imported with it, such as asyncio; no measurement.
    assert ours - start < 5 * start
