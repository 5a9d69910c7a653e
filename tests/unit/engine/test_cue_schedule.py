from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.engine import agenda_ahead
from cuectl.engine.cue_schedule import first_fires, jitter_of, marker_of
from cuectl.model.cue import Cue
from cuectl.model.instants import from_text
from cuectl.model.policy import Policy

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
def test_making_and_planning_agree(trigger: dict[str, Any]) -> None:
    assert first_fires(trigger, NOW) == agenda_ahead.first_fires(trigger, NOW)
    for cue in cues(trigger):
        assert jitter_of(cue) == agenda_ahead.jitter_of(cue)
        assert marker_of(cue, NOW).endswith(f"{NOW + jitter_of(cue)}.c.{cue.id}")


def test_as_many_fires_as_are_asked_for() -> None:
    for trigger in TRIGGERS[:3]:
        assert len(first_fires(trigger, NOW, 7)) == 7
    assert first_fires(TRIGGERS[4], NOW, 7) == [NOW + 1000]
    assert first_fires(TRIGGERS[5], NOW, 7) == []
