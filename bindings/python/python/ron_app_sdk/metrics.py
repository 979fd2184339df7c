"""What clients count."""

from __future__ import annotations

from typing import TypedDict


class MetricSample(TypedDict):
    """One number of a metric."""

    labels: dict[str, str]
    """The names and values of its labels."""
    value: float
    """The number."""
