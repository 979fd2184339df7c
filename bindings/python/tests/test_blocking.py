"""What the blocking client does to its thread and to others."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ron_app_sdk import ClosedError, RonAppSdk, address_of
from ron_app_sdk.testing import Gateway

# What is promised is 200 ms; the machine may be busy.
SOON = 0.2 + 0.3


@contextmanager
def signal_after(delay: float, number: int = signal.SIGINT) -> Iterator[None]:
    timer = threading.Timer(delay, os.kill, [os.getpid(), number])
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_control_c_ends_a_call_at_once(blocking: RonAppSdk, topic: str) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), signal_after(0.3):
        blocking.mailbox_receive(topic, wait=10, timeout=15)
    assert 0.3 <= time.monotonic() - began < 0.3 + SOON
    # The client is none the worse for it.
    assert blocking.storage_put(b"x") == address_of(b"x")


def test_control_c_reaches_the_main_thread_whichever_thread_the_signal_met(blocking: RonAppSdk, topic: str) -> None:
    def raise_here() -> None:
        time.sleep(0.3)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=raise_here)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        blocking.mailbox_receive(topic, wait=10, timeout=15)
    assert time.monotonic() - began < 0.3 + SOON
    thread.join()


def test_a_signal_handler_runs_and_the_call_goes_on(blocking: RonAppSdk, topic: str) -> None:
    caught: list[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: caught.append(time.monotonic()))
    try:
        began = time.monotonic()
        with signal_after(0.2, signal.SIGUSR1):
            assert blocking.mailbox_receive(topic, wait=1) == []
        assert 0.2 <= caught[0] - began < 0.2 + SOON
        assert time.monotonic() - began > 0.9
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_exception_of_a_signal_handler_comes_out_of_the_call(blocking: RonAppSdk, topic: str) -> None:
    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(StopError), signal_after(0.2, signal.SIGUSR1):
            blocking.mailbox_receive(topic, wait=10, timeout=15)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_other_threads_run_while_a_call_waits(blocking: RonAppSdk, topic: str) -> None:
    waiting = threading.Thread(target=lambda: blocking.mailbox_receive(topic, wait=1))
    waiting.start()
    count, began = 0, time.monotonic()
    while waiting.is_alive():
        count += 1
        time.sleep(0.001)
    assert time.monotonic() - began > 0.5
    assert count > 50


def test_threads_share_a_client(ron_gateway: Gateway) -> None:
    contents = [str(n).encode() for n in range(400)]
    with ron_gateway.client() as sdk, ThreadPoolExecutor(16) as threads:
        addresses = list(threads.map(sdk.storage_put, contents))
        assert [bytes(body) for body in threads.map(sdk.storage_get, addresses)] == contents
        assert sdk.stats().connections <= 4


def test_leaving_the_context_closes_the_client(ron_gateway: Gateway) -> None:
    with ron_gateway.client() as sdk:
        sdk.storage_put(b"x")
    with pytest.raises(ClosedError):
        sdk.storage_put(b"x")


def test_leaving_with_an_exception_does_not_wait_for_other_threads(ron_gateway: Gateway, topic: str) -> None:
    ended: list[BaseException] = []

    def wait(sdk: RonAppSdk) -> None:
        try:
            sdk.mailbox_receive(topic, wait=10, timeout=15)
        except ClosedError as error:
            ended.append(error)

    sdk = ron_gateway.client()
    thread = threading.Thread(target=wait, args=[sdk])
    began = time.monotonic()
    with pytest.raises(LookupError), sdk:
        thread.start()
        while sdk.stats().open_calls == 0:
            time.sleep(0.01)
        raise LookupError
    thread.join()
    assert len(ended) == 1
    assert time.monotonic() - began < 3
