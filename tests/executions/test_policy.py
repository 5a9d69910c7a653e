"""Policies and their records."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from cuectl.executions.rules.record import (
    CATCH_UP_WORDS,
    PLAIN,
    CatchUp,
    OnInterrupted,
    Overlap,
    Policy,
    policy_from_record,
)

SPANS = st.one_of(st.none(), st.floats(0.001, 1e6), st.integers(1, 10**6))
POLICIES = st.builds(
    Policy,
    verification=st.sampled_from(["none", "manual", "require_external_id"]),
    check=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    timeout_s=SPANS,
    max_attempts=st.integers(1, 100),
    backoff_s=st.lists(st.floats(0, 1e5), max_size=4).map(tuple),
    retry_on=st.lists(st.sampled_from(["failed", "interrupted"]), max_size=2).map(tuple),
    catch_up=st.sampled_from(CatchUp),
    overlap=st.sampled_from(Overlap),
    deadline_s=SPANS,
    jitter_s=st.floats(0, 1e5),
    on_interrupted=st.sampled_from(OnInterrupted),
    outcome_deadline_s=SPANS,
    alert=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


@given(POLICIES)
def test_a_policy_comes_back_from_its_record(policy: Policy) -> None:
    record = json.loads(json.dumps(policy.to_record()))
    assert policy_from_record(record) == policy


def test_what_has_its_default_is_left_out() -> None:
    assert PLAIN.to_record() == {}
    assert policy_from_record({}) is PLAIN
    assert Policy(timeout_s=5.0).to_record() == {"timeout_s": 5.0}


def test_a_newer_member_is_passed_over() -> None:
    assert policy_from_record({"timeout_s": 5, "from_the_future": 1}) == Policy(timeout_s=5)


def test_the_peer_s_words_are_known() -> None:
    assert CATCH_UP_WORDS["run_once_if_missed"] is CatchUp.LATEST
    assert CATCH_UP_WORDS["skip_missed"] is CatchUp.NONE
    assert CATCH_UP_WORDS["replay_all"] is CatchUp.ALL
    assert set(CatchUp) <= set(CATCH_UP_WORDS.values())
