"""What Python costs: calls over an echo that replaces only the connection, beside the core's own over the same echo."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import pytest

from ron_app_sdk import AsyncRonAppSdk, _native
from ron_app_sdk.testing import Gateway

pytestmark = pytest.mark.skipif(not hasattr(_native, "echo_client"), reason="built without the feature echo")

SIZES = [64, 65_536]
CALLS = 64
native: Any = _native


def asynchronous(gateway: Gateway) -> AsyncRonAppSdk:
    sdk = AsyncRonAppSdk.__new__(AsyncRonAppSdk)
    sdk._on_report = None
    sdk._client = native.echo_async_client(gateway.capability)
    return sdk


@pytest.mark.parametrize("size", SIZES)
def test_core_get(benchmark: Any, ron_gateway: Gateway, size: int) -> None:
    benchmark.pedantic(native.core_get, args=(ron_gateway.capability, bytes(size), 1000), rounds=20, warmup_rounds=1)
    benchmark.extra_info["calls"] = 1000


@pytest.mark.parametrize("size", SIZES)
def test_blocking_get(benchmark: Any, ron_gateway: Gateway, size: int) -> None:
    sdk = native.echo_client(ron_gateway.capability)
    address = sdk.storage_put(bytes(size))
    benchmark(sdk.storage_get, address)


@pytest.mark.parametrize("size", SIZES)
def test_blocking_put(benchmark: Any, ron_gateway: Gateway, size: int) -> None:
    sdk = native.echo_client(ron_gateway.capability)
    benchmark(sdk.storage_put, bytes(size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("in_flight", [1, 64])
def test_asyncio_get(benchmark: Any, runner: asyncio.Runner, ron_gateway: Gateway, size: int, in_flight: int) -> None:
    sdk = asynchronous(ron_gateway)
    address = runner.run(sdk.storage_put(bytes(size)))

    async def caller(count: int) -> None:
        for _ in range(count):
            await sdk.storage_get(address)

    async def main() -> None:
        await asyncio.gather(*(caller(CALLS * 8 // in_flight) for _ in range(in_flight)))

    benchmark.extra_info["calls"] = CALLS * 8
    benchmark(lambda: runner.run(main()))


def test_what_python_adds(ron_gateway: Gateway) -> None:
    """Prints the difference, in turns so that what else the machine does meets all of them."""
    sdk = native.echo_client(ron_gateway.capability)
    bridged = asynchronous(ron_gateway)
    print()
    for size in SIZES:
        address = sdk.storage_put(bytes(size))
        with asyncio.Runner() as runner:

            async def gets(in_flight: int, size: int = size) -> float:
                address = await bridged.storage_put(bytes(size))

                async def caller(count: int) -> None:
                    for _ in range(count):
                        await bridged.storage_get(address)

                began = time.perf_counter()
                await asyncio.gather(*(caller(1024 // in_flight) for _ in range(in_flight)))
                return (time.perf_counter() - began) / 1024

            rows: list[tuple[float, ...]] = []
            for _ in range(30):
                core = native.core_get(ron_gateway.capability, bytes(size), 1000) / 1000
                began = time.perf_counter()
                for _ in range(1000):
                    sdk.storage_get(address)
                blocking = (time.perf_counter() - began) / 1000
                rows.append((core, blocking, runner.run(gets(1)), runner.run(gets(64))))
        core, blocking, one, many = (statistics.median(column) * 1e6 for column in zip(*rows, strict=True))
        print(
            f"{size:>6} B: core {core:.2f} us; beyond it: blocking {blocking - core:+.2f} us, "
            f"asyncio alone {one - core:+.2f} us, with 64 in flight {many - core:+.2f} us per call"
        )
