"""What brings the calls of an event loop to their end: one queue of completions per loop.

A call is one future, one entry of a dictionary and one call of the native module. The SDK's own thread never touches
Python: it puts what has come of a call into the queue and makes a descriptor readable, once per batch, which the loop
watches like a socket.
"""

from __future__ import annotations

import asyncio
import os
import threading
from asyncio import AbstractEventLoop, CancelledError, Future, Task
from collections.abc import Callable
from typing import Any

from ._native import CallReport, CapabilityRequest, CompletionQueue

# For how long a thread waits at once for completions, where the loop cannot watch a descriptor.
_WAIT = 0.1


class Completions:
    """The calls of one event loop. All of it runs on the loop's thread."""

    __slots__ = ("__weakref__", "_asking", "_futures", "create_future", "loop", "queue")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.create_future = loop.create_future
        self.queue = CompletionQueue()
        self._futures: dict[int, Future[Any]] = {}
        self._asking: set[Task[None]] = set()
        descriptor = self.queue.fileno()
        if descriptor is not None:
            try:
                loop.add_reader(descriptor, self.deliver)
                return
            except NotImplementedError:
                pass
        # As on Windows: a loop that watches no descriptors.
        thread = threading.Thread(
            target=_watch, args=(self.queue, loop, self.deliver), name="ron-sdk-loop", daemon=True
        )
        thread.start()

    async def result_of(self, call: int, on_report: Callable[[CallReport], object] | None = None) -> Any:
        """Waits for what comes of a call. Where the task is cancelled meanwhile, so is the call, at the gateway too."""
        self._futures[call] = future = self.create_future()
        try:
            value = await future
        except CancelledError:
            if self._futures.pop(call, None) is not None:
                self.queue.cancel(call)
            raise
        if on_report is None:
            return value
        value, report = value
        on_report(report)
        return value

    def deliver(self) -> None:
        """Ends the futures of the calls that have ended."""
        futures = self._futures
        for call, value, error in self.queue.take():
            future = futures.pop(call, None)
            if future is None or future.done():
                if type(value) is CapabilityRequest:
                    self._ask(value)
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def _ask(self, request: CapabilityRequest) -> None:
        task = self.loop.create_task(_answer(request))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def close(self) -> None:
        """Cancels what is open."""
        self.queue.close()


async def _answer(request: CapabilityRequest) -> None:
    """Asks a function for a capability, on behalf of all calls that wait for one."""
    try:
        fresh = request.function()
        if hasattr(fresh, "__await__"):
            fresh = await fresh
    except BaseException as error:
        request.fail(error)
        if not isinstance(error, Exception):
            raise
    else:
        request.answer(fresh)


def _watch(queue: CompletionQueue, loop: AbstractEventLoop, deliver: Callable[[], None]) -> None:
    delivered = threading.Event()

    def deliver_all() -> None:
        deliver()
        delivered.set()

    while not loop.is_closed():
        if queue.wait(_WAIT):
            try:
                loop.call_soon_threadsafe(deliver_all)
            except RuntimeError:
                # The loop was closed meanwhile.
                return
            # One call for each batch.
            while not delivered.wait(_WAIT):
                if loop.is_closed():
                    return
            delivered.clear()


class _Current(threading.local):
    completions: Completions | None = None


_current = _Current()
_all: list[Completions] = []
_lock = threading.Lock()


def completions() -> Completions:
    """Those of the running loop."""
    loop = asyncio.get_running_loop()
    current = _current.completions
    if current is None or current.loop is not loop:
        current = _current.completions = _of(loop)
    return current


def _of(loop: AbstractEventLoop) -> Completions:
    with _lock:
        closed = [known for known in _all if known.loop.is_closed()]
        for known in closed:
            _all.remove(known)
        found = next((known for known in _all if known.loop is loop), None)
        if found is None:
            found = Completions(loop)
            _all.append(found)
    for known in closed:
        known.close()
    return found


def _forget() -> None:
    """In the child of a fork: the queues are the parent's, and another thread may have had the lock."""
    global _current, _lock
    _current, _lock = _Current(), threading.Lock()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
