"""The SDK's events as records of the logger `ron_app_sdk`. Imported when there are some."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Sequence
from typing import Any

from ._native import flush_logs

_logger = logging.getLogger("ron_app_sdk")
atexit.register(flush_logs)


def handle(records: Sequence[tuple[int, float, str, str, dict[str, Any]]], dropped: int) -> None:
    """Hands these over to the logger's handlers: level, seconds since 1970, event, message, fields."""
    for level, created, event, message, fields in records:
        if _logger.isEnabledFor(level):
            _handle(level, event, message, fields, created)
    if dropped and _logger.isEnabledFor(logging.WARNING):
        told = "records were dropped, which nobody took in time"
        _handle(logging.WARNING, "sdk.log.dropped", told, {"records": dropped}, None)


def _handle(level: int, event: str, message: str, fields: dict[str, Any], created: float | None) -> None:
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    extra = {"event": event, "fields": fields}
    record = _logger.makeRecord(_logger.name, level, "ron_app_sdk", 0, f"{message} {told}", (), None, event, extra)
    if created is not None:
        moved = created - record.created
        record.created = created
        record.msecs = (created - int(created)) * 1000
        record.relativeCreated += moved * 1000
    _logger.handle(record)
