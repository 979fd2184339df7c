"""Fixtures for pytest, which finds them by itself where the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import Gateway


@pytest.fixture(scope="session")
def ron_gateway() -> Iterator[Gateway]:
    """A gateway that all tests of the run share, without faults. Needs the program `ron-gateway`."""
    from .testing import Gateway

    with Gateway() as gateway:
        yield gateway
