"""Where a benchmark happens: the installed program, a folder, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.timing import Candidate, run_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.installed import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every group needs.

    Attributes:
        folder: for all that is made; nothing in it is removed before the end, because many
            file systems make files slowly for minutes after many were removed.
        quick: smaller sizes and fewer rounds.
    """

    installed: Installed
    folder: Path
    quick: bool

    def home(self, name: str) -> str:
        """Return the path of a state directory; its parent is the user's."""
        (self.folder / name).mkdir(exist_ok=True)
        return str(self.folder / name / ".cue")

    @property
    def many(self) -> int:
        """How many cues are many."""
        return 10_000 if self.quick else 100_000

    def rounds(self, full: int, quick: int) -> int:
        """Return how many rounds to measure."""
        return quick if self.quick else full

    def program(self, name: str, home: str, *words: str, **more: str) -> Candidate:
        """Return a candidate that runs `cuectl` with these words."""
        environment = self.installed.environment(home, **more)
        argv = [self.installed.cuectl, *words]
        return Candidate(name=name, run=lambda _: run_process(argv, environment))

    def bare_python(self) -> Candidate:
        """Return the floor of every start: the same interpreter doing nothing."""
        argv = [self.installed.python, "-c", "pass"]
        environment = self.installed.environment(self.home("bare"))
        return Candidate(name="python -c pass", run=lambda _: run_process(argv, environment))
