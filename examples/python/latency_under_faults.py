"""Draws what calls take at a gateway that is well, and at gateways that are slow, failing and silent.

Starts a gateway for each; needs `pip install ron-gateway matplotlib`.

    python latency_under_faults.py [FILE.svg] [CALLS]
"""

# /// script
# requires-python = ">=3.11"
# dependencies = ["ron-app-sdk", "ron-gateway", "matplotlib"]
# ///

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import matplotlib as mpl

from ron_app_sdk import AsyncRonAppSdk, RonError
from ron_app_sdk.testing import Gateway

mpl.use("svg")
import matplotlib.pyplot as plt

FAULTS: dict[str, dict[str, Any]] = {
    "no faults": {},
    "latency 5/20/80 ms": {"latency": (5, 20, 80)},
    "20 % of answers 5xx": {"error_5xx": 0.2},
    "5 % of answers missing": {"timeout": 0.05},
}
CALLERS = 16


async def measure(sdk: AsyncRonAppSdk, calls: int) -> tuple[list[float], int]:
    """The seconds that each successful get took, and how many failed all the same."""
    address = await sdk.storage_put(b"x" * 1024)
    times: list[float] = []
    failed = 0

    async def caller(count: int) -> None:
        nonlocal failed
        for _ in range(count):
            began = time.perf_counter()
            try:
                await sdk.storage_get(address)
            except RonError:
                failed += 1
            else:
                times.append(time.perf_counter() - began)

    await asyncio.gather(*(caller(calls // CALLERS) for _ in range(CALLERS)))
    return sorted(times), failed


async def main(file: str, calls: int) -> None:
    figure, axes = plt.subplots(figsize=(8, 5))
    print(f"{'gateway':<24} {'p50':>10} {'p99':>10} {'calls':>7} {'failed':>7}")
    for name, faults in FAULTS.items():
        with Gateway(seed=1, **faults) as gateway:
            async with gateway.async_client() as sdk:
                times, failed = await measure(sdk, calls)
        p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
        print(f"{name:<24} {p50:>7.2f} ms {p99:>7.2f} ms {len(times) + failed:>7} {failed:>7}")
        shares = [(n + 1) / len(times) for n in range(len(times))]
        axes.step([seconds * 1000 for seconds in times], shares, label=name)
    axes.set(xscale="log", xlabel="milliseconds", ylabel="share of calls that took at most so long", ylim=(0, 1))
    axes.set_title(f"storage_get of 1 KiB, {CALLERS} at a time")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(file)
    print(f"drawn in {file}")


if __name__ == "__main__":
    drawn = sys.argv[1] if len(sys.argv) > 1 else "latency.svg"
    asyncio.run(main(drawn, int(sys.argv[2]) if len(sys.argv) > 2 else 2000))
