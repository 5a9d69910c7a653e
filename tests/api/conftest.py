"""A server and a client for every test of the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.client import Client, Serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builder import Cuectl


@pytest.fixture
def served(cuectl: Cuectl) -> Iterator[Serve]:
    """`cuectl serve` on a port that was free."""
    with Serve(cuectl, "--port", "0") as serve:
        yield serve


@pytest.fixture
def client(served: Serve) -> Client:
    """A client with the token."""
    return served.client
