from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.cues.rules.record import Cue, CueState
from cuectl.cues.schedule import first_fires, jitter_of, look_ahead, marker_of
from cuectl.executions.rules.record import Policy
from cuectl.values.records import replace
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = from_text("2026-11-21T02:00:00Z")
TRIGGERS: list[dict[str, Any]] = [
    {"type": "cron", "expression": "30 2 * * 0", "timezone": "Australia/Lord_Howe"},
    {"type": "cron", "expression": "*/5 * * * *", "timezone": "UTC"},
    {"type": "every", "every_s": 90, "anchor": "2026-11-21T01:00:00Z"},
    {"type": "every", "every_s": 0.5, "anchor": "2026-11-22T01:00:00Z"},
    {"type": "at", "at": "2026-11-21T02:00:01Z"},
    {"type": "at", "at": "2026-11-21T02:00:00Z"},
    {"type": "manual"},
    {"type": "event", "event": "file.changed"},
]


def cues(trigger: dict[str, Any]) -> Iterator[Cue]:
    for number, jitter in enumerate((0.0, 30.0, 86_400.0)):
        yield Cue(
            id=f"cue_{number}",
            name="x",
            trigger=trigger,
            target={"type": "task", "task": "t"},
            policy=Policy(jitter_s=jitter),
            created_at=NOW,
            updated_at=NOW,
        )


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_the_marker_stands_where_the_fire_is_due(trigger: dict[str, Any]) -> None:
    for cue in cues(trigger):
        assert marker_of(cue, CueState(next_at=NOW)).endswith(f"{NOW + jitter_of(cue)}.c.{cue.id}")


@pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
def test_planning_follows_the_fires_one_by_one(trigger: dict[str, Any]) -> None:
    fires = first_fires(trigger, NOW, 30)
    for cue in cues(trigger):
        state, ahead = CueState(next_at=None), fires[:4]
        for at, later in pairwise([*fires, None] if trigger["type"] == "at" else fires):
            state = replace(state, next_at=at)
            found = look_ahead(cue, state, ahead, (at or 0) + jitter_of(cue))
            assert found.due is not None
            assert found.due.count == 1
            assert found.next_at == later
            ahead = found.fires or ahead


@pytest.mark.parametrize("every_s", [1e-9, 0.0004, 0.0005, 0.001, 0.0015, 1 / 3, 0.9999, 1.0006])
def test_a_tiny_interval_never_stops_and_never_drifts(every_s: float) -> None:
    trigger = {"type": "every", "every_s": every_s, "anchor": "2026-11-21T01:00:00Z"}
    fires = first_fires(trigger, NOW, 50)
    step = fires[1] - fires[0]
    assert step == max(1, round(every_s * 1000))
    assert fires == [fires[0] + place * step for place in range(50)]
    for cue in cues(trigger):
        assert jitter_of(cue) <= step // 2
        late = fires[40] + jitter_of(cue)
        found = look_ahead(cue, CueState(next_at=fires[0]), [], late)
        assert found.due is not None
        assert found.due.count == 41
        assert found.next_at == fires[41] == first_fires(trigger, fires[40], 1)[0]


def test_as_many_fires_as_are_asked_for() -> None:
    for trigger in TRIGGERS[:3]:
        assert len(first_fires(trigger, NOW, 7)) == 7
    assert first_fires(TRIGGERS[4], NOW, 7) == [NOW + 1000]
    assert first_fires(TRIGGERS[5], NOW, 7) == []
