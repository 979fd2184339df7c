"""What the asynchronous client does on its loop, and on others."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ron_app_sdk import (
    AsyncRonAppSdk,
    CapabilityDeniedError,
    ClosedError,
    DeadlineExceededError,
    _completions,
    address_of,
)
from ron_app_sdk.testing import Gateway


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors of others, as the one of Windows."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


def loops() -> list[Any]:
    found: list[Any] = [
        pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
        pytest.param(NoReaders, id="no-readers"),
    ]
    try:
        import uvloop
    except ImportError:
        return found
    return [*found, pytest.param(uvloop.new_event_loop, id="uvloop")]


Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=loops())
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on a loop of its own, of every kind."""

    def ran(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main)

    return ran


def test_many_calls_at_once(run: Run, ron_gateway: Gateway) -> None:
    contents = [str(n).encode() * 100 for n in range(500)]

    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            addresses = await asyncio.gather(*map(sdk.storage_put, contents))
            bodies = await asyncio.gather(*map(sdk.storage_get, addresses))
            assert [bytes(body) for body in bodies] == contents

    run(main())


def test_a_call_begins_when_it_is_awaited(run: Run, faulty: Gateway) -> None:
    # No answer comes, so that the call is still open when it is looked for, however slow this thread is.
    faulty.arm({"fault": "black_hole", "operation": "storage.put"})

    async def main() -> None:
        async with faulty.async_client(timeout=60) as sdk:
            call = sdk.storage_put(b"x")
            await asyncio.sleep(0.05)
            assert sdk.stats().connections == 0
            task = asyncio.create_task(call)
            await asyncio.sleep(0)
            assert sdk.stats().open_calls == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main())


async def until(condition: Callable[[], bool], limit: float = 5) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_cancelled_task_cancels_at_the_gateway(run: Run, faulty: Gateway) -> None:
    faulty.arm({"fault": "black_hole", "operation": "storage.put"})

    async def main() -> None:
        async with faulty.async_client(timeout=60) as sdk:
            task = asyncio.create_task(sdk.storage_put(b"x"))
            await until(lambda: sdk.stats().open_streams == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # A cancelled call keeps its slot until the gateway has answered the cancel, which the next call reads.
            await until(lambda: sdk.stats().open_calls == 0)
            deadline = time.monotonic() + 5
            while sdk.stats().open_streams > 0:
                assert time.monotonic() < deadline
                await sdk.edge_head("/ron/64k")
            assert sdk.stats().connections == 1

    run(main())


def test_asyncios_own_timeout_cancels(run: Run, faulty: Gateway) -> None:
    faulty.arm({"fault": "black_hole"})

    async def main() -> None:
        async with faulty.async_client(timeout=60) as sdk:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.2):
                    await sdk.storage_put(b"x")
            assert not isinstance(caught.value, DeadlineExceededError)
            await until(lambda: sdk.stats().open_calls == 0)

    run(main())


def test_a_task_that_is_cancelled_when_its_call_has_ended_loses_nothing_else(run: Run, ron_gateway: Gateway) -> None:
    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            for _ in range(50):
                task = asyncio.create_task(sdk.storage_put(b"x"))
                other = asyncio.create_task(sdk.storage_put(b"y"))
                await asyncio.sleep(0)
                # Long enough for the answer: the loop has not looked meanwhile.
                time.sleep(0.002)  # noqa: ASYNC251
                task.cancel()
                assert await other == address_of(b"y")
                await asyncio.wait([task])
            assert sdk.stats().open_calls == 0

    run(main())


def test_an_exception_has_the_stack_of_its_caller(run: Run, ron_gateway: Gateway) -> None:
    async def main() -> None:
        sdk = ron_gateway.async_client()
        with pytest.raises(CapabilityDeniedError) as caught:
            await sdk.storage_put(b"x", capability=ron_gateway.capability.attenuate("op=storage.get"))
        assert any(entry.name == "main" for entry in caught.traceback)
        await sdk.close()

    run(main())


def test_bytes_are_sent_from_where_they_are_and_let_go_of(ron_gateway: Gateway) -> None:
    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            body = bytes(100_000)
            before = sys.getrefcount(body)
            task = asyncio.create_task(sdk.storage_put(body))
            await asyncio.sleep(0)
            assert sys.getrefcount(body) > before
            await task
            del task
            assert sys.getrefcount(body) == before

            buffer = bytearray(b"before")
            task = asyncio.create_task(sdk.storage_put(buffer))
            await asyncio.sleep(0)
            buffer[:] = b"after"
            assert await task == address_of(b"before")

    asyncio.run(main())


def test_loops_in_several_threads_share_a_client(ron_gateway: Gateway) -> None:
    sdk = ron_gateway.async_client()
    results: list[str] = []

    async def main(number: int) -> None:
        puts = (sdk.storage_put(f"{number} {n}".encode()) for n in range(100))
        results.extend(await asyncio.gather(*puts))

    threads = [threading.Thread(target=asyncio.run, args=[main(number)]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(address_of(f"{a} {b}".encode()) for a in range(4) for b in range(100))
    assert asyncio.run(sdk.close()) == 0


def test_loops_one_after_the_other_share_a_client_and_leave_nothing_behind(ron_gateway: Gateway) -> None:
    sdk = ron_gateway.async_client()
    seen: list[weakref.ref[Any]] = []

    async def main() -> None:
        seen.append(weakref.ref(asyncio.get_running_loop()))
        await sdk.storage_put(b"x")

    for _ in range(20):
        asyncio.run(main())
    gc.collect()
    assert sum(loop() is not None for loop in seen) <= 2
    assert len(_completions._all) <= 2
    asyncio.run(sdk.close())


def test_a_loop_that_ends_with_calls_open_cancels_them(faulty: Gateway) -> None:
    faulty.arm({"fault": "black_hole"})
    sdk = faulty.async_client(timeout=60)

    async def main() -> None:
        tasks = [asyncio.create_task(sdk.storage_put(b"x")) for _ in range(10)]
        await until(lambda: sdk.stats().open_streams == 10)
        del tasks

    asyncio.run(main())
    asyncio.run(until(lambda: sdk.stats().open_calls == 0))
    asyncio.run(sdk.close())


def test_closing_ends_what_is_open(run: Run, faulty: Gateway) -> None:
    faulty.arm({"fault": "black_hole"})

    async def main() -> None:
        sdk = faulty.async_client(timeout=60)
        calls = [asyncio.create_task(sdk.storage_put(b"x")) for _ in range(3)]
        await until(lambda: sdk.stats().open_streams == 3)
        assert await sdk.close(0.1) == 3
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in ended] == [ClosedError] * 3
        with pytest.raises(ClosedError):
            await sdk.storage_put(b"x")

    run(main())


def test_it_needs_a_running_loop(ron_gateway: Gateway) -> None:
    call = ron_gateway.async_client().storage_put(b"x")
    with pytest.raises(RuntimeError, match="no running event loop"):
        call.send(None)


def test_a_task_group_takes_calls(ron_gateway: Gateway) -> None:
    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            async with asyncio.TaskGroup() as group:
                one = group.create_task(sdk.storage_put(b"1"))
                two = group.create_task(sdk.storage_put(b"2"))
            assert (one.result(), two.result()) == (address_of(b"1"), address_of(b"2"))

    asyncio.run(main())


def test_a_subclass_is_made_from_the_environment(ron_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ours(AsyncRonAppSdk):
        pass

    for name, value in ron_gateway.environment.items():
        monkeypatch.setenv(name, value)
    sdk = Ours.from_env()
    assert type(sdk) is Ours
    assert asyncio.run(sdk.storage_put(b"x")) == address_of(b"x")
    asyncio.run(sdk.close())
