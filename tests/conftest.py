"""What tests stand on: a program, a home, a clock that only they move."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Clock, Runtime
from cuectl.store import home as home_directory
from cuectl.store.journal.journal import Journal
from cuectl.values.times import from_text, to_text
from tests.fixtures.background import Passes
from tests.fixtures.builder import Cuectl, install
from tests.fixtures.forking import quick
from tests.fixtures.observing import StoreState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A slow machine is no failure; what takes how long is measured by `make bench`.
# Examples are the same in each run, so that no change fails by chance for what another one did.
settings.register_profile(
    "cuectl",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CUECTL_OTHER_EXAMPLES" not in os.environ,
)
settings.load_profile("cuectl")

# Sets have one order in all processes of a run: those of xdist must find the same tests.
os.environ.setdefault("PYTHONHASHSEED", str(int.from_bytes(os.urandom(2), "big")))

# What a shell or `nohup` ignores for the tests would be ignored by all that they start, too; a
# handler of Python's is none for them.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

IMPATIENT = """\
#!{python}
import os, sys
from cuectl.executions import supervise
supervise.GRACE_S = float(os.environ.get("TEST_GRACE_S", "0.4"))
from cuectl.entry import main
sys.exit(main())
"""

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
def cuectl(request: pytest.FixtureRequest, tmp_path: Path, programs: Path) -> Iterator[Cuectl]:
    """The program, in a fork unless a module says `STARTED`. At the end `fsck` finds nothing."""
    program = (Cuectl if getattr(request.module, "STARTED", False) else quick)(tmp_path, programs)
    yield program
    program.check()


@pytest.fixture
def state(cuectl: Cuectl) -> Iterator[StoreState]:
    """The store of `cuectl`; at the end its views must be what the journal implies."""
    found = StoreState(cuectl.home)
    yield found
    if cuectl.checked and (cuectl.home / "journal").is_dir():
        assert found.differences() == []
        assert found.settled_twice() == []


@pytest.fixture
def passes(cuectl: Cuectl) -> Iterator[Passes]:
    """Passes in the background, ended with the test."""
    started = Passes(cuectl)
    yield started
    started.clean_up()


@pytest.fixture
def impatient(cuectl: Cuectl, tmp_path: Path) -> Cuectl:
    """The program with a shorter time between SIGTERM and SIGKILL; nothing else differs."""
    folder = tmp_path / "impatient"
    folder.mkdir()
    (folder / "cuectl").write_text(IMPATIENT.format(python=sys.executable))
    (folder / "cuectl").chmod(0o755)
    os.symlink(sys.executable, folder / "python3")
    cuectl.programs = folder
    cuectl.environment["PATH"] = f"{folder}:/usr/bin:/bin"
    return cuectl


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

    return Runtime(
        home=str(home),
        environment={"TZ": "UTC"},
        clock=clock,
        random=random,
        reactions=lambda: REACTIONS,
    )


@pytest.fixture(autouse=True)
def _journals_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what stores have left open: a process has one for its life, a test run thousands."""
    made: list[Journal] = []
    begin = Journal.__init__

    def note(journal: Journal, home: str) -> None:
        made.append(journal)
        begin(journal, home)

    monkeypatch.setattr(Journal, "__init__", note)
    yield
    for journal in made:
        journal.close()
