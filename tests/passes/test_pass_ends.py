"""What a pass leaves behind for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.events.sources.round import Coming
from cuectl.events.sources.state import drop_unless_planned
from cuectl.passes import pass_end
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.store.store import Store
from cuectl.store.views import Marker, apply
from tests.fixtures.past import MINUTE, START, note

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

LATEST = START + 60 * MINUTE


@pytest.mark.parametrize(
    ("marker", "poll", "until"),
    [(10, 5, 5), (10, 20, 10), (10, None, 10), (None, 5, 5), (90, 80, 60)],
)
def test_passes_end_at_once_until_the_first_thing_is_due(
    home: str, marker: int | None, poll: int | None, until: int
) -> None:
    store = Store(str(home))
    note(store, START)
    if marker is not None:
        apply(str(home), {paths.marker(START + marker * MINUTE, "c", "cue_a"): True})
    coming = None if poll is None else Coming(at=START + poll * MINUTE, polls=True)

    line = pass_end._next_line(store, START, coming, LATEST)

    assert line is not None
    assert int(line.split()[2]) == START + until * MINUTE


@pytest.mark.parametrize(("marker", "poll"), [(0, 5), (5, 0), (-1, None), (None, -1)])
def test_what_is_due_already_lets_no_pass_end_at_once(
    home: str, marker: int | None, poll: int | None
) -> None:
    store = Store(str(home))
    note(store, START)
    if marker is not None:
        apply(str(home), {paths.marker(START + marker * MINUTE, "c", "cue_a"): True})
    coming = None if poll is None else Coming(at=START + poll * MINUTE, polls=True)

    assert pass_end._next_line(store, START, coming, LATEST) is None


def test_a_single_time_that_was_missed_is_over_and_a_repeated_one_goes_on(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    once = ("--at", "2026-11-21T02:00:00Z", "--deadline", "5m", "--", "true")
    daily = ("--cron", "0 2 * * *", "--deadline", "5m", "--", "true")
    assert cuectl.run("create", "--name", "once", *once).status == 0
    assert cuectl.run("create", "--name", "daily", *daily).status == 0
    cuectl.at("2026-11-21T03:00:00Z").run("run-due")

    assert state.ends() == ["missed(deadline)"] * 2
    assert (state.cue("once")["status"], state.cue("daily")["status"]) == ("failed", "active")


@pytest.mark.parametrize(("planned", "is_stale"), [(None, True), (START, False), (START + 1, True)])
def test_a_look_at_a_source_happens_only_when_it_is_planned(
    home: str, planned: int | None, *, is_stale: bool
) -> None:
    store = Store(str(home))
    marker = Marker(START, "s", "cue_a")
    with store.transaction(START) as tx:
        if planned is not None:
            views: Views = {paths.source("cue_a"): {"next_at": planned}}
            tx.stage(JournalEntry(type="source.looked", set=views))
        stale: list[Marker] = []
        drop_unless_planned(tx, marker, stale)

    assert stale == ([marker] if is_stale else [])


@pytest.mark.parametrize("kind", ["c", "e", "r", "w", "a", "s"])
def test_a_marker_of_nothing_is_gone_after_one_pass(cuectl: Cuectl, kind: str) -> None:
    """Otherwise every pass from here on would look through all of it."""
    cuectl.at("2026-11-21T01:00:00Z").run("create", "--name", "later", "--in", "9h", "--", "true")
    identity = {"c": "cue_aaaaaaaaaaaa", "s": "cue_aaaaaaaaaaaa"}.get(kind, "exec_" + "0" * 24)
    marker = cuectl.home / paths.marker(START - MINUTE, kind, identity)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch(mode=0o600)

    assert cuectl.at("2026-11-21T02:00:00Z").run("run-due").status == 0

    assert not marker.exists()
