"""What the SDK tells the logger `ron_app_sdk`."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ron_app_sdk import NotFoundError, RonAppSdk, flush_logs
from ron_app_sdk._completions import Completions, completions
from ron_app_sdk.testing import Gateway

from .conftest import Make

LOGGER = logging.getLogger("ron_app_sdk")
TRACE = 5


class Kept(logging.Handler):
    """Keeps records, and on which thread they came."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []
        self.threads: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.threads.add(threading.get_ident())

    def events(self) -> list[str]:
        return [record.event for record in self.records]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    flush_logs()
    LOGGER.addHandler(handler)
    yield handler
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(logging.NOTSET)
    flush_logs()


def test_a_call_is_told_at_debug_on_the_callers_thread(make: Make, ron_gateway: Gateway, kept: Kept, name: str) -> None:
    LOGGER.setLevel(logging.DEBUG)
    sdk = make(ron_gateway)
    began = time.time()
    sdk.storage_put(b"canary payload", idempotency_key=f"canary-{name}")
    flush_logs()
    assert kept.events() == ["sdk.connection.opened", "sdk.call.ended"]
    opened, ended = kept.records
    assert (ended.name, ended.levelno) == ("ron_app_sdk", logging.DEBUG)
    fields = ended.fields
    assert fields["operation"] == "storage.put"
    assert (fields["outcome"], fields["attempts"], fields["executed"], fields["replayed"]) == ("ok", 1, "yes", False)
    assert fields["elapsed_us"] > 0
    assert fields["request_bytes"] == len(b"canary payload")
    assert ron_gateway.address.endswith(fields["gateway"])
    assert opened.fields["connection"] == 1
    assert ended.getMessage().startswith("the call has ended operation=storage.put")
    assert began - 0.1 <= ended.created <= time.time() + 0.1
    assert kept.threads == {threading.get_ident()}
    told = " ".join(f"{record.getMessage()} {record.__dict__}" for record in kept.records)
    assert "canary" not in told
    assert ron_gateway.capability.expose() not in told


def test_attempts_are_told_below_debug(make: Make, faulty: Gateway, kept: Kept) -> None:
    LOGGER.setLevel(TRACE)
    faulty.arm({"fault": "error_before", "operation": "storage.put", "times": 1})
    make(faulty, backoff_base_ms=1).storage_put(b"x")
    flush_logs()
    assert kept.events().count("sdk.attempt.begun") == 2
    assert "sdk.retry.begun" in kept.events()
    levels = {record.event: record.levelno for record in kept.records}
    assert (levels["sdk.attempt.ended"], levels["sdk.call.ended"]) == (TRACE, logging.DEBUG)


def test_nothing_is_told_above_debug(make: Make, ron_gateway: Gateway, kept: Kept) -> None:
    LOGGER.setLevel(logging.INFO)
    with pytest.raises(NotFoundError):
        make(ron_gateway).index_resolve("nobody.knows")
    LOGGER.setLevel(logging.DEBUG)
    # What was not told then is not told now.
    flush_logs()
    assert kept.records == []


def test_a_change_of_the_level_counts_within_a_second_or_so(make: Make, ron_gateway: Gateway, kept: Kept) -> None:
    LOGGER.setLevel(logging.WARNING)
    sdk = make(ron_gateway)
    sdk.storage_put(b"x")
    LOGGER.setLevel(logging.DEBUG)
    until = time.monotonic() + 10
    while not kept.records:
        assert time.monotonic() < until
        sdk.storage_put(b"x")
        time.sleep(0.1)
    LOGGER.setLevel(logging.WARNING)
    flush_logs()
    kept.records.clear()
    sdk.storage_put(b"x")
    flush_logs()
    assert kept.records == []


def test_a_loop_hears_of_its_calls_in_batches(ron_gateway: Gateway, kept: Kept) -> None:
    LOGGER.setLevel(logging.DEBUG)

    async def main() -> None:
        async with ron_gateway.async_client() as sdk:
            await asyncio.gather(*(sdk.storage_put(b"x") for _ in range(64)))
            await sdk.storage_put(b"x")
            assert kept.events().count("sdk.call.ended") >= 64

    asyncio.run(main())
    assert kept.threads == {threading.get_ident()}


def test_what_nobody_takes_is_dropped_and_counted(ron_gateway: Gateway, kept: Kept, monkeypatch: Any) -> None:
    LOGGER.setLevel(logging.DEBUG)
    monkeypatch.setattr(Completions, "deliver", lambda self: None)

    async def main() -> None:
        sdk = ron_gateway.async_client(timeout=60)
        queue = completions().queue
        for _ in range(5000):
            sdk._client.edge_head(queue, "/ron/64k", None, None)
        until = time.monotonic() + 60
        while queue.open_calls():
            assert time.monotonic() < until
            time.sleep(0.01)  # noqa: ASYNC251
        flush_logs()
        assert len(kept.records) == 4096 + 1
        *_, said = kept.records
        assert (said.event, said.levelno) == ("sdk.log.dropped", logging.WARNING)
        assert said.fields["records"] >= 5000 - 4096
        kept.records.clear()
        flush_logs()
        assert "sdk.log.dropped" not in kept.events()

    asyncio.run(main())


def test_a_handler_may_make_calls_and_fail(ron_gateway: Gateway, kept: Kept, monkeypatch: Any) -> None:
    LOGGER.setLevel(logging.DEBUG)
    failed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: failed.append(unraisable.exc_value))
    with ron_gateway.client() as inner, ron_gateway.client() as sdk:

        class Calls(logging.Filter):
            def filter(self, record: logging.LogRecord) -> bool:
                inner.storage_put(b"from a handler")
                raise ValueError("a filter's own fault")

        broken = Calls()
        LOGGER.addFilter(broken)
        try:
            sdk.storage_put(b"x")
        finally:
            LOGGER.removeFilter(broken)
        assert [str(error) for error in failed] == ["a filter's own fault"]
        flush_logs()
        kept.records.clear()
        sdk.storage_put(b"x")
        assert "sdk.call.ended" in kept.events()


SCRIPT = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(event)s %(message)s")
from ron_app_sdk import AsyncRonAppSdk, RonAppSdk
sdk = RonAppSdk.from_env()
sdk.storage_put(b"x")
del sdk
"""


def test_what_is_left_is_told_at_the_exit(ron_gateway: Gateway) -> None:
    environment = {**os.environ, **ron_gateway.environment}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert "sdk.call.ended the call has ended operation=storage.put" in done.stdout
    assert "sdk.connection.closed" in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_logs_for_itself(ron_gateway: Gateway, kept: Kept) -> None:
    LOGGER.setLevel(logging.DEBUG)
    with ron_gateway.client() as sdk:
        sdk.storage_put(b"x")
    child = os.fork()
    if child == 0:
        kept.records.clear()
        with RonAppSdk(capability=ron_gateway.capability, **ron_gateway.settings) as own:
            own.storage_put(b"x")
        os._exit(0 if "sdk.call.ended" in kept.events() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_logging_is_not_imported_for_nothing() -> None:
    script = "import sys, ron_app_sdk; ron_app_sdk.RonAppSdk(); print('logging' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
