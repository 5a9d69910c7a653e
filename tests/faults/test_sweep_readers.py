"""A reader without the lock, while a pass changes everything under it.

A recorded pass is played back one operation at a time. A reader begins at one moment, reads at a
later one, and the pass goes on between its look at a view and its look at the journal. What it
sees must be what the journal implied at one moment in between: views that are written in place
are then as good as views that are replaced.
"""

from __future__ import annotations

import fcntl
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from cuectl.store import views
from cuectl.store.journal.segments import read_lines
from cuectl.store.reading import open_reader
from cuectl.store.store import Store

from .disk import History, history_of
from .runs import record, unavailable
from .sampling import sample
from .scene import TINY, Scene, day_begins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.journal.lines import Views
    from cuectl.values.records import Record

    from .sweeps import Points

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

ALL = 3_000


@dataclass(slots=True, kw_only=True)
class Playback:
    """A recorded pass; `go_to` puts the store to the moment after so many of its operations."""

    scene: Scene
    history: History
    implied: list[Views] = field(default_factory=list)

    def go_to(self, moment: int) -> int:
        """Show the state at a moment; return the number of the last line of the journal then."""
        events = [one for one in self.history.events if one.at < moment]
        self.history.rebuild(events).write(self.scene.root)
        return max((line["seq"] for line in read_lines(str(self.scene.home))), default=0)

    def understand(self) -> None:
        """Work out what the journal implies after each of its lines; -1 for a torn group."""
        self.go_to(len(self.history.moments))
        so_far: Views = {}
        self.implied = [{}]
        for line in read_lines(str(self.scene.home)):
            so_far = {**so_far, **line.get("set", {})}
            self.implied.append(so_far)

    def may_be(self, path: str, first: int, last: int) -> list[Record | None]:
        """Return what a view may hold when the journal had these lines."""
        found = [self.implied[seq].get(path) for seq in range(first, last + 1)]
        return [one if isinstance(one, dict) else None for one in found]


def played(scene: Scene, limits: str) -> Playback:
    day_begins(scene)
    env = scene.at("02:01:00") | ({"CUECTL_TEST_LIMITS": limits} if limits else {})
    argv = scene.argv("run-due", "--max-parallel", "2")(scene.root)
    run = record(argv, scene.root, env=env, cwd=scene.root / "work", follow=True)
    assert run.status == 0, run.stderr
    assert run.start is not None
    playback = Playback(scene=scene, history=history_of(run.start, [run], ()))
    playback.understand()
    return playback


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Hold the store lock, as the pass does that stands still."""
    with (scene.home / "lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("limits", ["", TINY], ids=["usual", "tiny"])
@sample(12)
def test_a_reader_sees_one_moment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limits: str, points: Points
) -> None:
    scene.root.mkdir()
    playback = played(scene, limits)
    moments = len(playback.history.moments)
    paths = sorted({path for one in playback.implied for path in one if path[:4] != "due/"})
    chance = random.Random(7)
    problems = []
    for _ in range(ALL if points == "all" else int(points)):
        begins = chance.randrange(moments + 1)
        reads = min(moments, begins + int(chance.expovariate(0.1)))
        goes_on = min(moments, reads + int(chance.expovariate(0.2)))
        first = playback.go_to(begins)
        with locked(scene):
            reader = open_reader(Store(str(scene.home)), limit_s=0)
        playback.go_to(reads)
        swapped_at = chance.choice(paths)
        read_view, last = views.read_view, [playback.go_to(reads)]

        def read_and_wait(
            home: str,
            path: str,
            swapped_at: str = swapped_at,
            last: list[int] = last,
            goes_on: int = goes_on,
            read_view: object = read_view,
        ) -> Record | None:
            try:
                return read_view(home, path)  # type: ignore[operator,no-any-return]
            finally:
                if path == swapped_at:
                    last[0] = playback.go_to(goes_on)

        monkeypatch.setattr("cuectl.store.views.read_view", read_and_wait)
        for path in [swapped_at, *paths]:
            since = last[0] if path != swapped_at else first
            seen = reader.read(path)
            if seen not in playback.may_be(path, min(first, since), last[0]):
                problems.append(f"{begins}/{reads}/{goes_on} {path}: {seen}")
        monkeypatch.undo()
        for folder in ("cues", "open", "waiting", "keys"):
            names = set(reader.names(folder))
            expected = [
                {
                    path[len(folder) + 1 :]
                    for path, value in one.items()
                    if value and path.startswith(f"{folder}/")
                }
                for one in playback.implied[first : last[0] + 1]
            ]
            if names not in expected:
                problems.append(f"{begins}/{reads}/{goes_on} {folder}: {names}")
    assert problems == [], "\n".join(problems[:20])
