"""A million calls leave nothing behind. It takes minutes: `scripts/python.sh leaks`, which `make test-deep` calls."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest

from ron_app_sdk import NotFoundError, address_of
from ron_app_sdk.testing import Gateway

CALLS = int(os.environ.get("RON_LEAK_CALLS", "0"))
STATM = Path("/proc/self/statm")
# Beyond what the allocator keeps of its own accord.
MOST_GROWTH = 4 << 20

pytestmark = [
    pytest.mark.skipif(CALLS == 0 or not STATM.exists(), reason="RON_LEAK_CALLS is not set, or this is not Linux"),
    pytest.mark.timeout(1800),
]


def resident() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_blocking_client(ron_gateway: Gateway) -> None:
    with ron_gateway.client() as sdk:
        body = bytes(4096)
        address = sdk.storage_put(body)

        def rounds(count: int) -> None:
            for n in range(count // 4):
                sdk.storage_put(body)
                memoryview(sdk.storage_get(address))[n % 4096 :]
                sdk.storage_head(address)
                with pytest.raises(NotFoundError):
                    sdk.index_resolve("nobody.knows")

        rounds(CALLS // 10)
        before = resident()
        rounds(CALLS)
        assert resident() - before < MOST_GROWTH


def test_the_asynchronous_client(ron_gateway: Gateway) -> None:
    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            body = bytes(4096)
            address = await sdk.storage_put(body)

            async def caller(count: int) -> None:
                for _ in range(count // 4):
                    assert await sdk.storage_put(body) == address
                    await sdk.storage_get(address)
                    with pytest.raises(NotFoundError):
                        await sdk.storage_get(address_of(b"nobody has stored this"))
                    cancelled = asyncio.create_task(sdk.storage_head(address))
                    await asyncio.sleep(0)
                    cancelled.cancel()
                    await asyncio.wait([cancelled])

            async def rounds(count: int) -> None:
                await asyncio.gather(*(caller(count // 64) for _ in range(64)))

            await rounds(CALLS // 10)
            before = resident()
            await rounds(CALLS)
            assert resident() - before < MOST_GROWTH

    asyncio.run(main())
