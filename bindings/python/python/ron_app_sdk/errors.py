"""The exceptions of the SDK: `RonError`, and one for every kind of error.

```
RonError
├── DeadlineExceededError     (TimeoutError)      the call's time ran out
├── TransportError            (ConnectionError)   the gateway could not be reached, or the connection was lost
├── TlsError                  (ConnectionError)   certificate, name, version or ALPN
├── TorUnavailableError       (ConnectionError)   the Tor proxy could not be used
├── OapViolationError                             the peer broke the protocol
├── CapabilityExpiredError    (PermissionError)   the capability's time is over
├── CapabilityDeniedError     (PermissionError)   the capability does not allow the call
├── SchemaViolationError      (ValueError)        a request or a reply is not what its schema says
├── NotFoundError             (LookupError)       no such object, path or name
├── ConflictError                                 the call contradicts the state at the gateway
├── RateLimitedError                              above a rate or a quota
├── ServerError                                   a fault of the gateway
├── ConfigError               (ValueError)        a setting or an argument is at fault
├── CallCancelledError                            the call was cancelled, other than by its own task
├── IntegrityMismatchError                        the bytes are not those of their address
├── TooLargeError             (ValueError)        longer than one envelope
├── RangeNotSatisfiableError  (LookupError)       the range starts past the object's end
├── StaleLeaseError                               the lease is no longer the message's own
├── BusyError                                     too many calls at once in this client
├── StalledError              (TimeoutError)      no byte moved for too long
├── ClosedError                                   the client has been closed
├── ForkDetectedError                             the client belongs to the parent of this process
├── InternalError                                 a fault of the SDK
└── UnknownError                                  a status that the protocol does not define
```
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any, ClassVar

__all__ = [
    "BusyError",
    "CallCancelledError",
    "CapabilityDeniedError",
    "CapabilityExpiredError",
    "ClosedError",
    "ConfigError",
    "ConflictError",
    "DeadlineExceededError",
    "ErrorKind",
    "Executed",
    "ForkDetectedError",
    "GaveUp",
    "IntegrityMismatchError",
    "InternalError",
    "NotFoundError",
    "OapViolationError",
    "RangeNotSatisfiableError",
    "RateLimitedError",
    "RonError",
    "SchemaViolationError",
    "ServerError",
    "StaleLeaseError",
    "StalledError",
    "TlsError",
    "TooLargeError",
    "TorUnavailableError",
    "TransportError",
    "UnknownError",
]


class ErrorKind(IntEnum):
    """What went wrong, as a number that is the same in every language."""

    DEADLINE_EXCEEDED = 1
    TRANSPORT = 2
    TLS = 3
    TOR_UNAVAILABLE = 4
    OAP_VIOLATION = 5
    CAPABILITY_EXPIRED = 6
    CAPABILITY_DENIED = 7
    SCHEMA_VIOLATION = 8
    NOT_FOUND = 9
    CONFLICT = 10
    RATE_LIMITED = 11
    SERVER = 12
    CONFIG = 13
    CANCELLED = 14
    INTEGRITY_MISMATCH = 15
    TOO_LARGE = 16
    RANGE_NOT_SATISFIABLE = 17
    STALE_LEASE = 18
    BUSY = 19
    STALLED = 20
    CLOSED = 21
    FORK_DETECTED = 22
    INTERNAL = 23
    UNKNOWN = 24


class Executed(StrEnum):
    """Whether a call took effect, although it failed."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class GaveUp(StrEnum):
    """Why a call that could have been tried again was not."""

    DEADLINE = "deadline"
    ATTEMPTS = "attempts"
    BUDGET = "budget"


class RonError(Exception):
    """Why a call failed."""

    kind: ClassVar[ErrorKind] = ErrorKind.UNKNOWN
    """What went wrong."""
    status: int | None
    """The gateway's status code, where it answered."""
    executed: Executed
    """Whether the call took effect all the same."""
    attempts: int
    """How many attempts were made; 0 where the call failed before any I/O."""
    retry_after: float | None
    """In how many seconds the gateway suggests to try again."""
    gave_up: GaveUp | None
    """Why there was no further attempt, where errors like this one are followed by one."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        executed: str = Executed.NO,
        attempts: int = 0,
        retry_after: float | None = None,
        gave_up: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = Executed(executed)
        self.attempts = attempts
        self.retry_after = retry_after
        self.gave_up = None if gave_up is None else GaveUp(gave_up)

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[RonError], tuple[Any, ...], dict[str, Any]]:
        return type(self), self.args, self.__dict__


class DeadlineExceededError(RonError, TimeoutError):
    """The call's time ran out."""

    kind = ErrorKind.DEADLINE_EXCEEDED


class TransportError(RonError, ConnectionError):
    """The gateway could not be reached, or the connection was lost."""

    kind = ErrorKind.TRANSPORT


class TlsError(RonError, ConnectionError):
    """TLS failed: certificate, name, version or ALPN."""

    kind = ErrorKind.TLS


class TorUnavailableError(RonError, ConnectionError):
    """The Tor proxy could not be used."""

    kind = ErrorKind.TOR_UNAVAILABLE


class OapViolationError(RonError):
    """The peer broke the OAP/1 protocol."""

    kind = ErrorKind.OAP_VIOLATION


class CapabilityExpiredError(RonError, PermissionError):
    """The capability's time is over."""

    kind = ErrorKind.CAPABILITY_EXPIRED


class CapabilityDeniedError(RonError, PermissionError):
    """The capability is missing, malformed or does not allow the call."""

    kind = ErrorKind.CAPABILITY_DENIED


class SchemaViolationError(RonError, ValueError):
    """A request or a reply is not what its schema says."""

    kind = ErrorKind.SCHEMA_VIOLATION


class NotFoundError(RonError, LookupError):
    """No such object, path or name."""

    kind = ErrorKind.NOT_FOUND


class ConflictError(RonError):
    """The call contradicts the state at the gateway."""

    kind = ErrorKind.CONFLICT


class RateLimitedError(RonError):
    """Above a rate or a quota."""

    kind = ErrorKind.RATE_LIMITED


class ServerError(RonError):
    """A fault of the gateway."""

    kind = ErrorKind.SERVER


class ConfigError(RonError, ValueError):
    """A setting or an argument of a call is at fault. Nothing was sent."""

    kind = ErrorKind.CONFIG


class CallCancelledError(RonError):
    """The call was cancelled, by the gateway for instance. A task that is cancelled raises `asyncio.CancelledError`."""

    kind = ErrorKind.CANCELLED


class IntegrityMismatchError(RonError):
    """The bytes are not those of their address."""

    kind = ErrorKind.INTEGRITY_MISMATCH


class TooLargeError(RonError, ValueError):
    """Longer than one envelope: 1,015,808 bytes."""

    kind = ErrorKind.TOO_LARGE


class RangeNotSatisfiableError(RonError, LookupError):
    """The range starts past the object's end."""

    kind = ErrorKind.RANGE_NOT_SATISFIABLE


class StaleLeaseError(RonError):
    """The lease is no longer the message's own: it was delivered again, given back or given up."""

    kind = ErrorKind.STALE_LEASE


class BusyError(RonError):
    """Too many calls at once in this client."""

    kind = ErrorKind.BUSY


class StalledError(RonError, TimeoutError):
    """No byte moved for too long."""

    kind = ErrorKind.STALLED


class ClosedError(RonError):
    """The client has been closed."""

    kind = ErrorKind.CLOSED


class ForkDetectedError(RonError):
    """The client belongs to the parent of this forked process: make a new one here."""

    kind = ErrorKind.FORK_DETECTED


class InternalError(RonError):
    """A fault of the SDK."""

    kind = ErrorKind.INTERNAL


class UnknownError(RonError):
    """A status that the protocol does not define."""

    kind = ErrorKind.UNKNOWN


ERROR_CLASSES: dict[int, type[RonError]] = {int(error.kind): error for error in RonError.__subclasses__()}
"""The exception of every kind, by the kind's number."""
