"""`AsyncRonAppSdk`: the client for event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ._completions import completions
from ._native import (
    AsyncClient,
    CallReport,
    Capability,
    CapabilityFile,
    CapabilityProvider,
    ClientStats,
    Lease,
    Message,
)

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import Buffer

    from ._native import Body, ObjectInfo, Readiness, Receipt, UnverifiedRange
    from .metrics import MetricSample
    from .settings import Settings

_Source = (
    Capability
    | CapabilityFile
    | CapabilityProvider
    | Callable[[], Capability | str]
    | Callable[[], Awaitable[Capability | str]]
)
_Time = float | timedelta
_OnReport = Callable[[CallReport], object]


class AsyncRonAppSdk:
    """A client of one RON gateway, for event loops. Several loops, in several threads, may share it.

    Settings are keyword arguments: see `Settings`. `capability` and `timeout`, in seconds or as a `timedelta`, are
    those of calls that have none of their own. `on_report` is called with the `CallReport` of each call that succeeds,
    in its task, before the call returns. Nothing is read or connected before the first call.

    A call begins when it is awaited or made a task, and ends with `asyncio.CancelledError`, at the gateway too, when
    its task is cancelled.

    ```python
    async with AsyncRonAppSdk.from_env() as sdk:
        address = await sdk.storage_put(b"hello")
        assert await sdk.storage_get(address) == b"hello"
    ```
    """

    __slots__ = ("__weakref__", "_client", "_on_report")

    _client: AsyncClient
    _on_report: _OnReport | None

    def __init__(
        self,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: _OnReport | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        self._on_report = on_report
        self._client = AsyncClient(capability, timeout, on_report is not None, settings)

    @classmethod
    def from_env(
        cls,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: _OnReport | None = None,
        **settings: Unpack[Settings],
    ) -> Self:
        """A client with the settings of the environment: RON_SDK_GATEWAY_ADDR and so on, and the capability in
        RON_SDK_CAPABILITY if there is one. Arguments go before it."""
        made = cls.__new__(cls)
        made._on_report = on_report
        made._client = AsyncClient.from_env(None, capability, timeout, on_report is not None, settings)
        return made

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: _OnReport | None = None,
        **settings: Unpack[Settings],
    ) -> Self:
        """A client with the settings of the environment, which go before those of a file in TOML. Otherwise as
        `from_env`."""
        made = cls.__new__(cls)
        made._on_report = on_report
        made._client = AsyncClient.from_env(path, capability, timeout, on_report is not None, settings)
        return made

    async def storage_put(
        self,
        body: Buffer,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Stores up to 1,015,808 bytes and returns their address, which is compared with their hash."""
        loop = completions()
        call = self._client.storage_put(loop.queue, body, capability, timeout, idempotency_key)
        address: str = await loop.result_of(call, self._on_report)
        return address

    async def storage_get(
        self, address: str, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> Body:
        """Fetches an object. Its bytes are hashed and compared with the address."""
        loop = completions()
        body: Body = await loop.result_of(
            self._client.storage_get(loop.queue, address, capability, timeout), self._on_report
        )
        return body

    async def storage_get_range(
        self, address: str, byte_range: range, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> UnverifiedRange:
        """Fetches a part of an object, such as `range(0, 100)`, which cannot be verified."""
        loop = completions()
        call = self._client.storage_get_range(loop.queue, address, byte_range, capability, timeout)
        part: UnverifiedRange = await loop.result_of(call, self._on_report)
        return part

    async def storage_head(
        self, address: str, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> ObjectInfo:
        """Asks for an object's size."""
        loop = completions()
        info: ObjectInfo = await loop.result_of(
            self._client.storage_head(loop.queue, address, capability, timeout), self._on_report
        )
        return info

    async def edge_get(
        self,
        path: str,
        byte_range: range | None = None,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> Body:
        """Fetches the object at a path, or a range of it that ends at the object's end at the latest."""
        loop = completions()
        body: Body = await loop.result_of(
            self._client.edge_get(loop.queue, path, byte_range, capability, timeout), self._on_report
        )
        return body

    async def edge_head(
        self, path: str, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> ObjectInfo:
        """Asks for the size and address of the object at a path."""
        loop = completions()
        info: ObjectInfo = await loop.result_of(
            self._client.edge_head(loop.queue, path, capability, timeout), self._on_report
        )
        return info

    async def mailbox_send(
        self,
        topic: str,
        body: Buffer,
        *,
        attributes: Mapping[str, str] | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Sends a message. It is delivered at least once."""
        loop = completions()
        call = self._client.mailbox_send(loop.queue, topic, body, attributes, capability, timeout, idempotency_key)
        receipt: Receipt = await loop.result_of(call, self._on_report)
        return receipt

    async def mailbox_receive(
        self,
        topic: str,
        *,
        max_messages: int = 1,
        visibility: _Time | None = None,
        wait: _Time | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> Sequence[Message]:
        """Receives up to `max_messages` messages, 1 to 64, that nobody else gets for `visibility`, 250 ms to 12 h,
        30 s unless given; where there is none, waits for a first one for up to `wait`, at most 20 s."""
        loop = completions()
        call = self._client.mailbox_receive(loop.queue, topic, max_messages, visibility, wait, capability, timeout)
        messages: list[Message] = await loop.result_of(call, self._on_report)
        return messages

    async def mailbox_recv(
        self, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> Sequence[Message]:
        """Receives up to 16 messages from the one topic that the capability is for, for 30 s, and waits for a first one
        for as long as the timeout allows, at most 20 s."""
        loop = completions()
        messages: list[Message] = await loop.result_of(
            self._client.mailbox_recv(loop.queue, capability, timeout), self._on_report
        )
        return messages

    async def mailbox_ack(
        self, message: Message | Lease, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> None:
        """Ends a message: it is not delivered again."""
        loop = completions()
        await loop.result_of(self._client.mailbox_ack(loop.queue, message, capability, timeout), self._on_report)

    async def mailbox_nack(
        self,
        message: Message | Lease,
        *,
        delay: _Time | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> None:
        """Gives a message back, to be delivered again after `delay`, 0 to 12 h."""
        loop = completions()
        await loop.result_of(
            self._client.mailbox_nack(loop.queue, message, delay, capability, timeout), self._on_report
        )

    async def mailbox_extend(
        self,
        message: Message | Lease,
        visibility: _Time,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> None:
        """Keeps a message for `visibility` from now, 250 ms to 12 h, under the same lease."""
        loop = completions()
        await loop.result_of(
            self._client.mailbox_extend(loop.queue, message, visibility, capability, timeout), self._on_report
        )

    async def index_resolve(self, name: str, *, capability: _Source | None = None, timeout: _Time | None = None) -> str:
        """The address that a name stands for."""
        loop = completions()
        address: str = await loop.result_of(
            self._client.index_resolve(loop.queue, name, capability, timeout), self._on_report
        )
        return address

    async def index_publish(
        self,
        name: str,
        address: str,
        *,
        expected: str | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Lets a name stand for an address; with `expected`, an address or "absent", only where it stands for that so
        far."""
        loop = completions()
        call = self._client.index_publish(loop.queue, name, address, expected, capability, timeout, idempotency_key)
        await loop.result_of(call, self._on_report)

    async def connect(self, timeout: _Time | None = None) -> None:
        """Opens a connection and waits for the gateway's HELLO; where one is open, does nothing. Calls connect by
        themselves: this is for a program that wants to know early whether the gateway is there."""
        loop = completions()
        await loop.result_of(self._client.connect(loop.queue, timeout))

    def ready(self) -> Readiness:
        """Whether the client is ready, as far as it knows without any I/O."""
        return self._client.ready()

    async def probe(self, timeout: _Time | None = None) -> Readiness:
        """Finds out whether the client is ready: opens a connection, or lets one that is open show that it is alive.
        Needs no capability. What goes wrong is in what it returns."""
        loop = completions()
        readiness: Readiness = await loop.result_of(self._client.probe(loop.queue, timeout))
        return readiness

    async def close(self, timeout: _Time | None = None) -> int:
        """Closes the client: it takes no more calls, waits for up to `timeout` for those that are open, 5 s unless
        given, and ends those that are open then as `ClosedError`. Returns how many that were."""
        loop = completions()
        count: int = await loop.result_of(self._client.close(loop.queue, timeout))
        return count

    def stats(self) -> ClientStats:
        """What the client has at the moment."""
        return self._client.stats()

    def metrics(self) -> dict[str, list[MetricSample]]:
        """What the client has counted so far, by the names of the text: for each number its labels and its value."""
        return self._client.metrics()

    def metrics_text(self) -> str:
        """What the client has counted so far, as text for Prometheus."""
        return self._client.metrics_text()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Waits for calls of other tasks where all went well, and for nothing where an exception is on its way."""
        await self.close(None if kind is None else 0)

    def __repr__(self) -> str:
        return repr(self._client)
