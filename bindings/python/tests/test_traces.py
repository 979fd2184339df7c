"""The current span of OpenTelemetry goes with a call."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ron_app_sdk import AsyncRonAppSdk
from ron_app_sdk.testing import Gateway

opentelemetry = pytest.importorskip("opentelemetry.trace")

TRACE = 0x0AF7651916CD43DD8448EB211C80319C


@contextmanager
def span(number: int, flags: int = 1) -> Iterator[str]:
    """A current span with this number; yields its `traceparent`."""
    from opentelemetry import context, trace

    known = trace.SpanContext(TRACE, number, is_remote=False, trace_flags=trace.TraceFlags(flags))
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(known)))
    try:
        yield f"00-{TRACE:032x}-{number:016x}-{flags:02x}"
    finally:
        context.detach(token)


def logged(gateway: Gateway) -> list[tuple[str, str | None]]:
    """The calls that the gateway has written down: operation and trace."""
    # Without moving: the gateway writes where the file's place is.
    lines = os.pread(gateway._errors.fileno(), 1 << 20, 0).decode().splitlines()
    calls = [json.loads(line[line.index("{") :]) for line in lines if '"operation"' in line]
    return [(f"{call['plane']}.{call['operation']}", call.get("traceparent")) for call in calls]


def test_a_call_is_part_of_the_current_trace() -> None:
    with Gateway(arguments=["--log-calls"]) as gateway, gateway.client() as sdk:
        with span(1) as first:
            sdk.storage_put(b"x")
        with span(2, flags=0) as second:
            sdk.edge_head("/ron/64k")
        sdk.edge_head("/ron/64k")
        expected = [("storage.put", first), ("edge.head", second), ("edge.head", None)]
        assert logged(gateway) == expected
        with span(3), gateway.client(tracing_enabled=False) as silent:
            silent.edge_head("/ron/64k")
        assert logged(gateway) == [*expected, ("edge.head", None)]
        # Each thread has its own.
        with span(4):
            thread = threading.Thread(target=sdk.edge_head, args=["/ron/64k"])
            thread.start()
            thread.join()
        assert logged(gateway)[-1] == ("edge.head", None)


def test_each_task_has_its_own_trace() -> None:
    async def put(sdk: AsyncRonAppSdk, number: int) -> str:
        with span(number) as text:
            await asyncio.sleep(0)
            await sdk.storage_put(str(number).encode())
        return text

    async def main(gateway: Gateway) -> None:
        async with gateway.async_client() as sdk:
            texts = await asyncio.gather(*(put(sdk, number) for number in range(1, 9)))
            await sdk.edge_head("/ron/64k")
        *puts, last = logged(gateway)
        assert sorted(puts) == sorted(("storage.put", text) for text in texts)
        assert last == ("edge.head", None)

    with Gateway(arguments=["--log-calls"]) as gateway:
        asyncio.run(main(gateway))


def test_opentelemetry_is_not_imported_for_it(ron_gateway: Gateway) -> None:
    script = (
        "import sys; from ron_app_sdk import RonAppSdk; RonAppSdk.from_env().storage_put(b'x'); "
        "print([name for name in sys.modules if 'opentelemetry' in name or name == 'ron_app_sdk._traces'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=ron_gateway.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
