from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from os import PathLike
from types import TracebackType
from typing import Any, Final, Literal, Self, SupportsIndex, TypeAlias, Unpack, final, overload

from typing_extensions import Buffer

from .errors import RonError
from .metrics import MetricSample
from .settings import Settings

_Source: TypeAlias = Capability | CapabilityFile | CapabilityProvider | Callable[[], Capability | str]
_AsyncSource: TypeAlias = _Source | Callable[[], Awaitable[Capability | str]]
_Time: TypeAlias = float | timedelta

__all__ = [
    "MAX_BODY",
    "AsyncClient",
    "Body",
    "CallReport",
    "Capability",
    "CapabilityFile",
    "CapabilityProvider",
    "CapabilityRequest",
    "Check",
    "ClientStats",
    "CompletionQueue",
    "DeadLetter",
    "Lease",
    "Message",
    "ObjectInfo",
    "Readiness",
    "Receipt",
    "RonAppSdk",
    "UnverifiedRange",
    "__version__",
    "address_of",
    "error_kinds",
    "flush_logs",
    "forget_main_thread",
    "setting_names",
    "setting_texts",
]

__version__: Final[str]
MAX_BODY: Final[int]

def address_of(data: Buffer) -> str: ...
def error_kinds() -> list[tuple[int, str]]: ...
def setting_names() -> list[tuple[str, str]]: ...
def setting_texts(settings: Settings) -> list[tuple[str, str]]: ...
def forget_main_thread() -> None: ...
def flush_logs() -> None: ...

@final
class Body:
    def __new__(cls, data: Buffer) -> Self: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> Body: ...
    def __iter__(self) -> Iterator[int]: ...
    def __contains__(self, item: object, /) -> bool: ...
    def __bytes__(self) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str: ...

@final
class Capability:
    def __new__(cls, text: str) -> Self: ...
    @staticmethod
    def from_env() -> Capability: ...
    @staticmethod
    def from_bytes(token: bytes) -> Capability: ...
    def attenuate(self, caveat: str) -> Capability: ...
    def expose(self) -> str: ...

@final
class CapabilityFile:
    def __new__(cls, path: str | PathLike[str]) -> Self: ...
    @property
    def path(self) -> str: ...

@final
class CapabilityProvider:
    def __new__(cls, function: Callable[[], Capability | str | Awaitable[Capability | str]]) -> Self: ...

@final
class CapabilityRequest:
    @property
    def function(self) -> Callable[[], Any]: ...
    def answer(self, fresh: object) -> None: ...
    def fail(self, error: BaseException) -> None: ...

@final
class ObjectInfo:
    @property
    def address(self) -> str: ...
    @property
    def size(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class UnverifiedRange:
    @property
    def body(self) -> Body: ...
    @property
    def byte_range(self) -> range: ...
    @property
    def size(self) -> int: ...

@final
class CallReport:
    @property
    def attempts(self) -> int: ...
    @property
    def replayed(self) -> bool: ...
    @property
    def executed(self) -> Literal["yes", "no", "unknown"]: ...
    @property
    def elapsed(self) -> float: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class ClientStats:
    @property
    def open_calls(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def waiting_calls(self) -> int: ...
    @property
    def open_streams(self) -> int: ...
    @property
    def unsent_bytes(self) -> int: ...
    @property
    def cached_objects(self) -> int: ...
    @property
    def cached_bytes(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Check:
    @property
    def state(self) -> Literal["ok", "failed", "not_applicable", "unknown"]: ...
    @property
    def error(self) -> RonError | None: ...

@final
class Readiness:
    @property
    def is_ready(self) -> bool: ...
    @property
    def config(self) -> Check: ...
    @property
    def tor(self) -> Check: ...
    @property
    def transport(self) -> Check: ...
    def __bool__(self) -> bool: ...

@final
class Receipt:
    @property
    def id(self) -> str: ...
    @property
    def duplicate(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Lease:
    def __new__(cls, topic: str, id: str, token: str) -> Self: ...
    @property
    def topic(self) -> str: ...
    @property
    def id(self) -> str: ...
    def expose(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class DeadLetter:
    @property
    def reason(self) -> Literal["too_many_deliveries", "unknown"]: ...
    @property
    def deliveries(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Message:
    @property
    def lease(self) -> Lease: ...
    @property
    def id(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def attributes(self) -> dict[str, str]: ...
    @property
    def body(self) -> Body: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def dead(self) -> DeadLetter | None: ...

@final
class RonAppSdk:
    def __new__(
        cls,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: Callable[[CallReport], object] | None = None,
        **settings: Unpack[Settings],
    ) -> Self: ...
    @staticmethod
    def from_env(
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: Callable[[CallReport], object] | None = None,
        **settings: Unpack[Settings],
    ) -> RonAppSdk: ...
    @staticmethod
    def from_file(
        path: str | PathLike[str],
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        on_report: Callable[[CallReport], object] | None = None,
        **settings: Unpack[Settings],
    ) -> RonAppSdk: ...
    def storage_put(
        self,
        body: Buffer,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> str: ...
    def storage_get(self, address: str, *, capability: _Source | None = None, timeout: _Time | None = None) -> Body: ...
    def storage_get_range(
        self, address: str, byte_range: range, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> UnverifiedRange: ...
    def storage_head(
        self, address: str, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> ObjectInfo: ...
    def edge_get(
        self,
        path: str,
        byte_range: range | None = None,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> Body: ...
    def edge_head(
        self, path: str, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> ObjectInfo: ...
    def mailbox_send(
        self,
        topic: str,
        body: Buffer,
        *,
        attributes: Mapping[str, str] | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt: ...
    def mailbox_receive(
        self,
        topic: str,
        *,
        max_messages: int = 1,
        visibility: _Time | None = None,
        wait: _Time | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> list[Message]: ...
    def mailbox_recv(self, *, capability: _Source | None = None, timeout: _Time | None = None) -> list[Message]: ...
    def mailbox_ack(
        self, message: Message | Lease, *, capability: _Source | None = None, timeout: _Time | None = None
    ) -> None: ...
    def mailbox_nack(
        self,
        message: Message | Lease,
        *,
        delay: _Time | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> None: ...
    def mailbox_extend(
        self,
        message: Message | Lease,
        visibility: _Time,
        *,
        capability: _Source | None = None,
        timeout: _Time | None = None,
    ) -> None: ...
    def index_resolve(self, name: str, *, capability: _Source | None = None, timeout: _Time | None = None) -> str: ...
    def index_publish(
        self,
        name: str,
        address: str,
        *,
        expected: str | None = None,
        capability: _Source | None = None,
        timeout: _Time | None = None,
        idempotency_key: str | None = None,
    ) -> None: ...
    def connect(self, timeout: _Time | None = None) -> None: ...
    def ready(self) -> Readiness: ...
    def probe(self, timeout: _Time | None = None) -> Readiness: ...
    def close(self, timeout: _Time | None = None) -> int: ...
    def stats(self) -> ClientStats: ...
    def metrics(self) -> dict[str, list[MetricSample]]: ...
    def metrics_text(self) -> str: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

@final
class CompletionQueue:
    def __new__(cls) -> Self: ...
    def fileno(self) -> int | None: ...
    def take(self) -> list[tuple[int, Any, BaseException | None]]: ...
    def wait(self, seconds: float) -> bool: ...
    def cancel(self, id: int) -> bool: ...
    def open_calls(self) -> int: ...
    def close(self) -> None: ...

@final
class AsyncClient:
    def __new__(
        cls, capability: _AsyncSource | None, timeout: _Time | None, is_reporting: bool, settings: Settings
    ) -> Self: ...
    @staticmethod
    def from_env(
        path: str | PathLike[str] | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
        is_reporting: bool,
        settings: Settings,
    ) -> AsyncClient: ...
    def storage_put(
        self,
        queue: CompletionQueue,
        body: Buffer,
        capability: _AsyncSource | None,
        timeout: _Time | None,
        idempotency_key: str | None,
    ) -> int: ...
    def storage_get(
        self, queue: CompletionQueue, address: str, capability: _AsyncSource | None, timeout: _Time | None
    ) -> int: ...
    def storage_get_range(
        self,
        queue: CompletionQueue,
        address: str,
        byte_range: range,
        capability: _AsyncSource | None,
        timeout: _Time | None,
    ) -> int: ...
    def storage_head(
        self, queue: CompletionQueue, address: str, capability: _AsyncSource | None, timeout: _Time | None
    ) -> int: ...
    def edge_get(
        self,
        queue: CompletionQueue,
        path: str,
        byte_range: range | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
    ) -> int: ...
    def edge_head(
        self, queue: CompletionQueue, path: str, capability: _AsyncSource | None, timeout: _Time | None
    ) -> int: ...
    def mailbox_send(
        self,
        queue: CompletionQueue,
        topic: str,
        body: Buffer,
        attributes: Mapping[str, str] | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
        idempotency_key: str | None,
    ) -> int: ...
    def mailbox_receive(
        self,
        queue: CompletionQueue,
        topic: str,
        max_messages: int,
        visibility: _Time | None,
        wait: _Time | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
    ) -> int: ...
    def mailbox_recv(self, queue: CompletionQueue, capability: _AsyncSource | None, timeout: _Time | None) -> int: ...
    def mailbox_ack(
        self, queue: CompletionQueue, message: Message | Lease, capability: _AsyncSource | None, timeout: _Time | None
    ) -> int: ...
    def mailbox_nack(
        self,
        queue: CompletionQueue,
        message: Message | Lease,
        delay: _Time | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
    ) -> int: ...
    def mailbox_extend(
        self,
        queue: CompletionQueue,
        message: Message | Lease,
        visibility: _Time,
        capability: _AsyncSource | None,
        timeout: _Time | None,
    ) -> int: ...
    def index_resolve(
        self, queue: CompletionQueue, name: str, capability: _AsyncSource | None, timeout: _Time | None
    ) -> int: ...
    def index_publish(
        self,
        queue: CompletionQueue,
        name: str,
        address: str,
        expected: str | None,
        capability: _AsyncSource | None,
        timeout: _Time | None,
        idempotency_key: str | None,
    ) -> int: ...
    def connect(self, queue: CompletionQueue, timeout: _Time | None) -> int: ...
    def ready(self) -> Readiness: ...
    def probe(self, queue: CompletionQueue, timeout: _Time | None) -> int: ...
    def close(self, queue: CompletionQueue, timeout: _Time | None) -> int: ...
    def stats(self) -> ClientStats: ...
    def metrics(self) -> dict[str, list[MetricSample]]: ...
    def metrics_text(self) -> str: ...
