"""The application SDK for RON nodes: content-addressed storage, edge fetches, a mailbox and an index.

`RonAppSdk` is for threads, `AsyncRonAppSdk` for event loops; their methods are the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ._native import (
    MAX_BODY,
    Body,
    CallReport,
    Capability,
    CapabilityFile,
    CapabilityProvider,
    Check,
    ClientStats,
    DeadLetter,
    Lease,
    Message,
    ObjectInfo,
    Readiness,
    Receipt,
    RonAppSdk,
    UnverifiedRange,
    __version__,
    address_of,
    flush_logs,
    forget_main_thread,
)
from .errors import (
    BusyError,
    CallCancelledError,
    CapabilityDeniedError,
    CapabilityExpiredError,
    ClosedError,
    ConfigError,
    ConflictError,
    DeadlineExceededError,
    ErrorKind,
    Executed,
    ForkDetectedError,
    GaveUp,
    IntegrityMismatchError,
    InternalError,
    NotFoundError,
    OapViolationError,
    RangeNotSatisfiableError,
    RateLimitedError,
    RonError,
    SchemaViolationError,
    ServerError,
    StaleLeaseError,
    StalledError,
    TlsError,
    TooLargeError,
    TorUnavailableError,
    TransportError,
    UnknownError,
)
from .metrics import MetricSample
from .settings import Settings

if TYPE_CHECKING:
    from ._asynchronous import AsyncRonAppSdk

__all__ = [
    "MAX_BODY",
    "AsyncRonAppSdk",
    "Body",
    "BusyError",
    "CallCancelledError",
    "CallReport",
    "Capability",
    "CapabilityDeniedError",
    "CapabilityExpiredError",
    "CapabilityFile",
    "CapabilityProvider",
    "Check",
    "ClientStats",
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "DeadLetter",
    "DeadlineExceededError",
    "ErrorKind",
    "Executed",
    "ForkDetectedError",
    "GaveUp",
    "IntegrityMismatchError",
    "InternalError",
    "Lease",
    "Message",
    "MetricSample",
    "NotFoundError",
    "OapViolationError",
    "ObjectInfo",
    "RangeNotSatisfiableError",
    "RateLimitedError",
    "Readiness",
    "Receipt",
    "RonAppSdk",
    "RonError",
    "SchemaViolationError",
    "ServerError",
    "Settings",
    "StaleLeaseError",
    "StalledError",
    "TlsError",
    "TooLargeError",
    "TorUnavailableError",
    "TransportError",
    "UnknownError",
    "UnverifiedRange",
    "__version__",
    "address_of",
    "flush_logs",
]

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_main_thread)


def __getattr__(name: str) -> object:
    # Importing asyncio takes longer than all the rest, which threads need not wait for.
    if name == "AsyncRonAppSdk":
        from ._asynchronous import AsyncRonAppSdk

        globals()[name] = AsyncRonAppSdk
        return AsyncRonAppSdk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
