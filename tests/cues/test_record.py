"""Cues and their states as records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.rules.record import (
    Cue,
    CueState,
    CueStatus,
    Origin,
    cue_from_record,
    state_from_record,
)
from cuectl.executions.rules.record import Policy

NOW = 1_795_226_400_000
INSTANTS = st.one_of(st.none(), st.integers(1, 2**42))
NAMES = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3).map(tuple)
STATES = st.builds(
    CueState,
    status=st.sampled_from(CueStatus),
    next_at=INSTANTS,
    last_at=INSTANTS,
    last_run=INSTANTS,
    last_status=st.one_of(st.none(), st.just("failed")),
    run_count=st.integers(0, 10**6),
    running=NAMES,
    queued=NAMES,
    failures=st.integers(0, 50),
    overlaps=st.integers(0, 50),
    alerts=st.dictionaries(st.text("xy", min_size=1), st.text("z", min_size=1), max_size=2).map(
        lambda found: tuple(found.items())
    ),
    taken=st.lists(st.integers(1, 2**42), max_size=2).map(tuple),
)


def a_cue(**changes: Any) -> Cue:
    made: dict[str, Any] = {
        "id": "cue_abc",
        "name": "job",
        "trigger": {"type": "at", "at": "2026-11-21T02:00:00Z"},
        "target": {"type": "task", "task": "audit"},
        "created_at": NOW,
        "updated_at": NOW + 1,
    }
    return Cue(**(made | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"description": ""},
        {"description": "what it is for", "payload": {"n": [1, None, "ü"]}},
        {"policy": Policy(timeout_s=5.0, max_attempts=3)},
        {"payload_ref": "f" * 64},
        {"origin": Origin(kind="chain", parent="exec_a", root="exec_r", depth=3, when="always")},
        {"origin": Origin(kind="chain", delay_s=1.5, key="k")},
        {"origin": Origin(kind="file", path="/x/cue.yaml")},
    ],
)
def test_a_cue_comes_back_from_its_record(changes: dict[str, Any]) -> None:
    cue = a_cue(**changes)
    assert cue_from_record(json.loads(json.dumps(cue.to_record()))) == cue


@given(STATES)
def test_a_state_comes_back_from_its_record(state: CueState) -> None:
    assert state_from_record(json.loads(json.dumps(state.to_record()))) == state


def test_a_state_at_rest_is_small() -> None:
    """A cue that fires each minute writes it twice a minute."""
    assert CueState().to_record() == {"status": "active"}
    running = CueState(next_at=NOW, last_at=NOW, running=("exec_01m7y6v924j94h81ctqc2w54",))
    assert len(json.dumps(running.to_record())) < 150


@pytest.mark.parametrize("record", [{}, {"status": "x"}, {"status": "active", "running": 5}])
def test_what_is_no_state_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        state_from_record(record)


@pytest.mark.parametrize(
    "damage",
    [
        {"id": None},
        {"created_at": "yesterday"},
        {"created_at": 5},
        {"origin": {"kind": "x", "unknown": 1}},
        {"origin": []},
        {"policy": {"overlap": "x"}},
    ],
)
def test_what_is_no_cue_is_refused(damage: dict[str, Any]) -> None:
    record = a_cue().to_record() | damage
    if damage == {"id": None}:
        del record["id"]
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        cue_from_record(record)
