"""Both clients, against a real gateway."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ron_app_sdk import AsyncRonAppSdk, RonAppSdk
from ron_app_sdk.testing import Gateway

_numbers = itertools.count()

# A shell starts what it runs in the background without Ctrl-C; Python then leaves it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


class OnLoop:
    """An asynchronous client whose calls are awaited one by one, so that one test is for both clients."""

    def __init__(self, client: AsyncRonAppSdk, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        member: Callable[..., Any] = getattr(self._client, name)
        if name in ("stats", "ready", "metrics", "metrics_text"):
            return member

        async def call(*arguments: Any, **keywords: Any) -> Any:
            return await member(*arguments, **keywords)

        return lambda *arguments, **keywords: self._runner.run(call(*arguments, **keywords))


Make = Callable[..., Any]


@pytest.fixture(params=["blocking", "asynchronous"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of either kind, of the gateway that is the first argument."""
    with asyncio.Runner() as runner:

        def made(gateway: Gateway, **settings: Any) -> Any:
            if request.param == "blocking":
                return gateway.client(**settings)
            return OnLoop(gateway.async_client(**settings), runner)

        yield made


@pytest.fixture
def sdk(make: Make, ron_gateway: Gateway) -> Any:
    """A client of either kind, of a gateway without faults."""
    return make(ron_gateway)


@pytest.fixture
def blocking(ron_gateway: Gateway) -> Iterator[RonAppSdk]:
    with ron_gateway.client() as client:
        yield client


@pytest.fixture(scope="session")
def faulty_gateway() -> Iterator[Gateway]:
    with Gateway(seed=1) as gateway:
        yield gateway


@pytest.fixture
def faulty(faulty_gateway: Gateway) -> Iterator[Gateway]:
    """A gateway for this test's own faults."""
    yield faulty_gateway
    faulty_gateway.disarm()


@pytest.fixture
def topic() -> str:
    """A topic that no other test has."""
    return f"tests.topic-{next(_numbers)}"


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"tests.name-{next(_numbers)}"
