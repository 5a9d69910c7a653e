"""What the sweeps over the real program stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .scene import Scene
from .warm import Warm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def warm(programs: Path) -> Iterator[Warm]:
    """A process that runs commands quickly."""
    process = Warm(programs / "cuectl")
    yield process
    process.close()


@pytest.fixture
def scene(tmp_path: Path, programs: Path, warm: Warm) -> Scene:
    """The places of one sweep; `tmp_path / "work"` is the directory for it."""
    (tmp_path / "work").mkdir()
    return Scene(
        root=(tmp_path / "work").resolve() / "state", programs=programs, warm=warm, more={}
    )
