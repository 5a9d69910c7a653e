"""What tests stand on: a program, a home, a clock that only they move."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cuectl.engine.clock import Clock
from cuectl.engine.runtime import Runtime
from cuectl.model.instants import from_text, to_text
from cuectl.store import home as home_directory
from tests.builder import Cuectl, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A slow machine is no failure; what takes how long is measured by `make bench`.
settings.register_profile("cuectl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cuectl")

START = "2026-11-21T02:00:00Z"


class ManualClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self, at: str = START) -> None:
        self.at_ms = from_text(at)
        super().__init__(self.at_ms)

    def now(self) -> int:
        """Return where the clock was put."""
        return self.at_ms

    def set(self, at: str) -> None:
        """Put the clock to an instant."""
        self.at_ms = from_text(at)

    def advance(self, seconds: float) -> int:
        """Move the clock and return the instant."""
        self.at_ms += round(seconds * 1000)
        return self.at_ms

    def environment(self) -> dict[str, str]:
        """Return what a process started now needs to see the same time."""
        return {"CUECTL_NOW": to_text(self.at_ms)}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for PATH with `cuectl` in it."""
    return install(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def cuectl(tmp_path: Path, programs: Path) -> Iterator[Cuectl]:
    """The program; at the end `fsck` must find nothing."""
    program = Cuectl(tmp_path, programs)
    yield program
    program.check()


@pytest.fixture
def clock() -> ManualClock:
    """A clock at 2026-11-21T02:00:00Z."""
    return ManualClock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state directory that was just made."""
    path = tmp_path / "cue"
    home_directory.make(str(path))
    return path


@pytest.fixture
def runtime(home: Path, clock: ManualClock) -> Runtime:
    """A runtime on `home` and `clock` whose randomness repeats."""
    numbers = count(1)

    def random(size: int) -> bytes:
        return next(numbers).to_bytes(size, "big")

    return Runtime(home=str(home), environment={"TZ": "UTC"}, clock=clock, random=random)
