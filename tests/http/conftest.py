"""A server and a client for every test of the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.forking import quick
from tests.http.client import Client, Serve
from tests.http.page_scene import scene
from tests.http.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


@pytest.fixture
def served(cuectl: Cuectl) -> Iterator[Serve]:
    """`cuectl serve` on a port that was free."""
    with Serve(cuectl, "--port", "0") as serve:
        yield serve


@pytest.fixture
def client(served: Serve) -> Client:
    """A client with the token."""
    return served.client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Cuectl:
    """A home with a scene, of the tests that do not say what else they change."""
    made = quick(tmp_path_factory.mktemp("scene"), programs)
    scene(made)
    return made


@pytest.fixture(scope="module")
def acting(place: Cuectl) -> Iterator[tuple[Serve, Visit]]:
    """A server with buttons, and a session."""
    with Serve(place, "--port", "0", "--actions") as serve:
        yield serve, Visit(serve)
    place.check()
