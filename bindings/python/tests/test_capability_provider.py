"""Functions that are asked for a capability."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ron_app_sdk import (
    Capability,
    CapabilityDeniedError,
    CapabilityExpiredError,
    CapabilityProvider,
    DeadlineExceededError,
    RonAppSdk,
    address_of,
)
from ron_app_sdk.testing import Gateway

from .conftest import Make


class Asked:
    """Hands out these capabilities, one after the other, and says when and where it was asked."""

    def __init__(self, *capabilities: Capability) -> None:
        self._left = list(capabilities)
        self.threads: list[int] = []

    def __call__(self) -> Capability:
        self.threads.append(threading.get_ident())
        return self._left.pop(0)


def expired(gateway: Gateway) -> Capability:
    return gateway.capability.attenuate("exp<1000000000")


def test_it_is_asked_first_and_when_the_capability_has_expired(make: Make, ron_gateway: Gateway) -> None:
    asked = Asked(expired(ron_gateway), ron_gateway.capability)
    sdk = make(ron_gateway, capability=asked)
    assert not asked.threads
    assert sdk.storage_put(b"x") == address_of(b"x")
    assert sdk.storage_get(address_of(b"x")) == b"x"
    # On a thread of Python's: the caller's, or the loop's.
    assert asked.threads == [threading.get_ident()] * 2


def test_it_may_return_a_text(make: Make, ron_gateway: Gateway) -> None:
    sdk = make(ron_gateway, capability=ron_gateway.capability.expose)
    assert sdk.storage_put(b"x") == address_of(b"x")


def test_clients_and_calls_share_a_provider(make: Make, ron_gateway: Gateway) -> None:
    asked = Asked(ron_gateway.capability)
    provider = CapabilityProvider(asked)
    assert repr(provider) == "CapabilityProvider()"
    one, other = make(ron_gateway, capability=provider), make(ron_gateway)
    assert one.storage_put(b"x") == other.storage_put(b"x", capability=provider)
    assert len(asked.threads) == 1


def test_many_threads_ask_once(ron_gateway: Gateway) -> None:
    count = 0

    def slow() -> Capability:
        nonlocal count
        count += 1
        time.sleep(0.1)
        return ron_gateway.capability

    with ron_gateway.client(capability=slow) as sdk, ThreadPoolExecutor(16) as pool:
        assert set(pool.map(sdk.storage_put, [b"x"] * 64)) == {address_of(b"x")}
    assert count == 1


def test_an_async_function_is_awaited_once_for_many_calls(ron_gateway: Gateway) -> None:
    capabilities = [expired(ron_gateway), ron_gateway.capability]

    async def fresh() -> Capability:
        await asyncio.sleep(0.05)
        return capabilities.pop(0)

    async def main() -> None:
        async with ron_gateway.async_client(capability=fresh) as sdk:
            puts = await asyncio.gather(*(sdk.storage_put(b"x") for _ in range(64)))
            assert set(puts) == {address_of(b"x")}
        assert not capabilities

    asyncio.run(main())


def test_what_it_raises_is_the_cause(make: Make, ron_gateway: Gateway) -> None:
    def failing() -> Capability:
        raise LookupError("no token today")

    sdk = make(ron_gateway, capability=failing)
    with pytest.raises(CapabilityDeniedError) as caught:
        sdk.storage_put(b"x")
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.attempts == 0
    capabilities = [expired(ron_gateway)]
    sdk = make(ron_gateway, capability=lambda: capabilities.pop(0))
    with pytest.raises(CapabilityExpiredError) as expiring:
        sdk.storage_put(b"x")
    assert isinstance(expiring.value.__cause__, IndexError)
    # The next one asks again.
    capabilities.append(ron_gateway.capability)
    assert sdk.storage_put(b"x") == address_of(b"x")


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", "canary"])
def test_what_is_no_capability_is_refused_and_not_repeated(make: Make, ron_gateway: Gateway, wrong: object) -> None:
    with pytest.raises(CapabilityDeniedError) as caught:
        make(ron_gateway, capability=lambda: wrong).storage_put(b"x")
    assert isinstance(caught.value.__cause__, TypeError | ValueError)
    assert "canary" not in f"{caught.value} {caught.value.__cause__}"


def test_a_blocking_call_does_not_wait_for_an_async_function(ron_gateway: Gateway) -> None:
    async def fresh() -> Capability:
        return ron_gateway.capability

    function: Callable[[], Capability] = fresh  # type: ignore[assignment]
    with ron_gateway.client(capability=function) as sdk, pytest.raises(CapabilityDeniedError) as caught:
        sdk.storage_put(b"x")
    assert "async function" in str(caught.value.__cause__)


def test_what_is_no_function_is_a_type_error(make: Make, ron_gateway: Gateway) -> None:
    for wrong in ("canary", 7):
        with pytest.raises(TypeError) as caught:
            make(ron_gateway, capability=wrong)
        assert "canary" not in str(caught.value)
    with pytest.raises(TypeError):
        CapabilityProvider("canary")  # type: ignore[arg-type]


def test_control_c_in_it_ends_the_call(ron_gateway: Gateway) -> None:
    def slow() -> Capability:
        signal.raise_signal(signal.SIGINT)
        return ron_gateway.capability

    with ron_gateway.client(capability=slow) as sdk:
        with pytest.raises(KeyboardInterrupt):
            sdk.storage_put(b"x")
        assert sdk.stats().open_calls == 0


def test_calls_of_a_loop_wait_within_their_timeout(ron_gateway: Gateway) -> None:
    async def never() -> Capability:
        await asyncio.sleep(60)
        return ron_gateway.capability

    async def main() -> None:
        async with ron_gateway.async_client(capability=never) as sdk:
            with pytest.raises(DeadlineExceededError):
                await sdk.storage_put(b"x", timeout=0.1)
            # One that is given up leaves the question to the others.
            other = asyncio.create_task(sdk.storage_put(b"x", timeout=0.2))
            task = asyncio.create_task(sdk.storage_put(b"x"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(DeadlineExceededError):
                await other

    asyncio.run(main())


def test_a_loop_that_ends_leaves_the_question_to_the_next_one(ron_gateway: Gateway) -> None:
    is_slow = True

    async def fresh() -> Capability:
        if is_slow:
            await asyncio.sleep(60)
        return ron_gateway.capability

    sdk = ron_gateway.async_client(capability=fresh)

    async def give_up() -> None:
        with pytest.raises(DeadlineExceededError):
            await sdk.storage_put(b"x", timeout=0.05)

    asyncio.run(give_up())
    is_slow = False
    assert asyncio.run(sdk.storage_put(b"x")) == address_of(b"x")


def test_a_provider_of_a_client_that_is_dropped_goes_with_it(ron_gateway: Gateway) -> None:
    import gc
    import weakref

    asked = Asked(ron_gateway.capability)
    sdk = RonAppSdk(capability=asked, **ron_gateway.settings)
    sdk.storage_put(b"x")
    gone = weakref.ref(asked)
    del sdk, asked
    gc.collect()
    assert gone() is None
