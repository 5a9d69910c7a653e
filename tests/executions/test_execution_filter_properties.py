"""What is found by bytes is everything that would be found by parsing every line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from cuectl.executions import claim
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.store.history import spans_of
from cuectl.store.journal.lines import START_SUM, encode_group

WORDS = st.sampled_from(["a", "b", "a.b", "3", "", "true", "é", "\ud83d\ude00", '"', "x y", "\n"])
SCALARS = st.one_of(WORDS, st.integers(-3, 3), st.booleans(), st.none(), st.just(3.0))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(WORDS.filter(bool), inner, max_size=2)
    ),
    max_leaves=4,
)
OBJECTS = st.dictionaries(
    st.one_of(WORDS.filter(bool), st.just("parent_run_id")), VALUES, max_size=3
)
PAIRS = st.tuples(
    st.sampled_from(["a", "b", "a.b", "b.a", "a.0", "a.0.b", "3", "é"]),
    st.sampled_from(["a", "3", "true", "null", "", "é", '"', "[]", "{}", "[3]", '"a"', "3.0"]),
)
IDS = st.sampled_from(["exec_one", "exec_two", "exec_three"])


@st.composite
def executions(draw: Any) -> Execution:
    plain = Execution(
        id=draw(IDS),
        cue_id=draw(st.sampled_from(["cue_aaaa", "cue_aabb"])),
        cue_name=draw(WORDS),
        status=draw(st.sampled_from([ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED])),
        scheduled_for=draw(st.integers(0, 3)) * 1000,
        root_id=draw(IDS),
    )
    return replace(
        plain,
        outcome_state=draw(st.sampled_from([None, "unknown", "verified_success"])),
        triggered_by=draw(st.sampled_from(["schedule", "chain"])),
        parent_id=draw(st.none() | IDS),
        payload=draw(OBJECTS),
        metadata=draw(st.none() | OBJECTS),
        result_type=draw(st.none() | WORDS),
        external_id=draw(st.none() | WORDS),
        artifacts=draw(st.none() | st.lists(WORDS, max_size=1)),
    )


FILTERS = st.builds(
    ExecutionFilter,
    cue_ids=st.lists(st.sampled_from(["cue_aa", "cue_aabb", "cue_b"]), max_size=2).map(tuple),
    cue_name=st.none() | WORDS,
    statuses=st.lists(st.sampled_from(["failed", "succeeded"]), max_size=1).map(tuple),
    outcome_states=st.lists(st.sampled_from(["unknown"]), max_size=1).map(tuple),
    result_types=st.lists(WORDS, max_size=1).map(tuple),
    parent_run_id=st.none() | st.sampled_from(["exec_one", "a", "3", "true", "é"]),
    root=st.none() | st.sampled_from(["exec_t", "exec_one"]),
    since=st.none() | st.integers(0, 4).map(lambda s: s * 1000),
    triggered_by=st.lists(st.sampled_from(["chain"]), max_size=1).map(tuple),
    payload=st.lists(PAIRS, max_size=1).map(tuple),
    metadata=st.lists(PAIRS, max_size=1).map(tuple),
    has_evidence=st.booleans(),
)


@given(executions(), FILTERS)
def test_the_line_of_a_match_has_the_needles(execution: Execution, wanted: ExecutionFilter) -> None:
    line, _ = encode_group([claim.settled_event(execution)], 1, START_SUM, "2026-11-21T02:00:00Z")
    record = execution.to_record()

    is_found = bool(spans_of(line, [wanted.needles()]))
    is_match = wanted.matches(record, lambda one: one["payload"])

    assert is_found or not is_match


@st.composite
def pairs_of(draw: Any, payload: dict[str, Any]) -> tuple[str, str]:
    """Draw a place in a payload, and what a user would type for what stands there."""
    keys: list[str] = []
    value: Any = payload
    while value and isinstance(value, dict | list) and (not keys or draw(st.booleans())):
        found = value if isinstance(value, dict) else {str(at): one for at, one in enumerate(value)}
        keys.append(draw(st.sampled_from(sorted(found))))
        value = found[keys[-1]]
    typed = value if isinstance(value, str) else json.dumps(value)
    return ".".join(keys), typed


@given(executions().filter(lambda one: bool(one.payload)), st.data())
def test_a_payload_that_matches_is_found(execution: Execution, data: st.DataObject) -> None:
    pair = data.draw(pairs_of(execution.payload))
    wanted = ExecutionFilter(payload=(pair,))
    line, _ = encode_group([claim.settled_event(execution)], 1, START_SUM, "2026-11-21T02:00:00Z")

    assume(wanted.matches(execution.to_record(), lambda one: one["payload"]))
    assert spans_of(line, [wanted.needles()])
