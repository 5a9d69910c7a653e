"""Executions as records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.executions.rules.record import (
    FINAL,
    Execution,
    ExecutionStatus,
    Policy,
    execution_from_record,
)

NOW = 1_795_226_400_000
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=3)
TEXTS = st.one_of(st.none(), st.text(max_size=8))
INSTANTS = st.one_of(st.none(), st.integers(0, 2**42))
EXECUTIONS = st.builds(
    Execution,
    id=st.just("exec_a"),
    cue_id=st.just("cue_a"),
    cue_name=st.text(max_size=5),
    status=st.sampled_from(ExecutionStatus),
    reason=TEXTS,
    outcome_state=TEXTS,
    attempt=st.integers(1, 9),
    attempts=st.lists(OBJECTS, max_size=2).map(tuple),
    scheduled_for=st.integers(0, 2**42),
    started_at=INSTANTS,
    ended_at=INSTANTS,
    duration_s=st.one_of(st.none(), st.floats(0, 1e6)),
    exit_code=st.one_of(st.none(), st.integers(0, 255)),
    signal=st.one_of(st.none(), st.integers(1, 64)),
    root_id=st.just("exec_a"),
    parent_id=TEXTS,
    depth=st.integers(0, 16),
    payload=OBJECTS,
    target=OBJECTS,
    policy=st.builds(Policy, timeout_s=st.one_of(st.none(), st.floats(1, 9))),
    success=st.one_of(st.none(), st.booleans()),
    result=TEXTS,
    artifacts=st.one_of(st.none(), st.lists(JSON, max_size=2)),
    metadata=st.one_of(st.none(), OBJECTS),
    outcome_dropped=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    reported=st.one_of(st.none(), OBJECTS),
    due_at=INSTANTS,
    report_until=INSTANTS,
    adopted=st.booleans(),
    range=st.one_of(st.none(), st.just({"from": "a", "to": "b", "count": 3})),
    held=st.lists(st.text("abc", min_size=1), max_size=2).map(tuple),
    rev=st.integers(0, 5),
    cancel=TEXTS,
    extra=st.dictionaries(st.sampled_from(["retry_of", "newer"]), JSON, max_size=2),
)


@given(EXECUTIONS)
def test_an_execution_comes_back_from_its_record(execution: Execution) -> None:
    record = json.loads(json.dumps(execution.to_record()))
    assert execution_from_record(record) == execution


@given(EXECUTIONS)
def test_a_record_comes_back_from_its_execution(execution: Execution) -> None:
    """What this version does not know is kept, and written where it stood."""
    record = execution_from_record(execution.to_record()).to_record()
    assert execution_from_record(record).to_record() == record
    assert record.keys() >= execution.extra.keys()


def test_a_plain_record_is_small() -> None:
    execution = Execution(
        id="exec_01m7y6v924j94h81ctqc2w54",
        cue_id="cue_13pju7yhsqh2",
        cue_name="job",
        status=ExecutionStatus.SUCCEEDED,
        outcome_state="reported_success",
        scheduled_for=NOW,
        started_at=NOW,
        ended_at=NOW,
        duration_s=0.002,
        exit_code=0,
        root_id="exec_01m7y6v924j94h81ctqc2w54",
        target={"type": "command", "argv": ["true"]},
    )
    assert len(json.dumps(execution.to_record())) < 600


@pytest.mark.parametrize("status", ExecutionStatus)
def test_settled_is_what_never_runs_again(status: ExecutionStatus) -> None:
    execution = Execution(
        id="e", cue_id="c", cue_name="n", status=status, scheduled_for=0, root_id="e"
    )
    assert execution.is_settled == (status in FINAL)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"id": "exec_a"},
        {"id": "e", "cue_id": "c", "cue_name": "n", "status": "x", "root_id": "e"},
        {
            "id": "e",
            "cue_id": "c",
            "cue_name": "n",
            "status": "failed",
            "root_id": "e",
            "scheduled_for": "soon",
        },
    ],
)
def test_what_is_no_execution_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        execution_from_record(record)
