"""What a filter of executions means."""

from __future__ import annotations

from typing import Any

import pytest

from cuectl.executions.rules.filter import ExecutionFilter, has_evidence, value_matches
from cuectl.values.times import from_text

RECORD: dict[str, Any] = {
    "id": "exec_a",
    "cue_id": "cue_abcdefghijkl",
    "cue_name": "audit",
    "status": "succeeded",
    "outcome_state": "verified_success",
    "result_type": "audit_run",
    "triggered_by": "chain",
    "parent_id": "exec_parent",
    "root_id": "exec_root",
    "scheduled_for": "2026-11-21T02:00:00Z",
    "payload": {
        "task": "audit",
        "parent_run_id": "run-7",
        "deep": {"list": [{"n": 3}], "ok": True},
    },
    "metadata": {"still_open": ["a", "b"], "a.b": "dotted"},
    "external_id": "run-7",
}


def matches(**wanted: Any) -> bool:
    return ExecutionFilter(**wanted).matches(RECORD, lambda record: record["payload"])


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"cue_ids": ("cue_abcdefghijkl",)},
        {"cue_ids": ("cue_zzzz", "cue_abcd")},
        {"cue_name": "audit"},
        {"cue_name": "audit", "cue_ids": ("cue_other",)},
        {"statuses": ("failed", "succeeded")},
        {"outcome_states": ("verified_success",)},
        {"result_types": ("audit_run",)},
        {"triggered_by": ("chain",)},
        {"parent_run_id": "run-7"},
        {"parent_run_id": "exec_parent"},
        {"root": "exec_root"},
        {"root": "exec_ro"},
        {"since": from_text("2026-11-21T02:00:00Z")},
        {"until": from_text("2026-11-21T02:00:00.001Z")},
        {"payload": (("task", "audit"), ("deep.list.0.n", "3"))},
        {"payload": (("deep.ok", "true"),)},
        {"payload": (("deep.list", '[{"n": 3}]'),)},
        {"metadata": (("still_open.1", "b"), ("a.b", "dotted"))},
        {"has_evidence": True},
    ],
)
def test_a_record_matches_what_is_true_of_it(wanted: dict[str, Any]) -> None:
    assert matches(**wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"cue_ids": ("cue_b",)},
        {"cue_name": "audi"},
        {"cue_name": "other", "cue_ids": ("cue_b",)},
        {"statuses": ("failed",)},
        {"outcome_states": ("verification_failed",)},
        {"result_types": ("audit",)},
        {"triggered_by": ("schedule",)},
        {"parent_run_id": "run-8"},
        {"root": "exec_other"},
        {"since": from_text("2026-11-21T02:00:00.001Z")},
        {"until": from_text("2026-11-21T02:00:00Z")},
        {"payload": (("task", "audit"), ("task", "other"))},
        {"payload": (("deep.ok", "1"),)},
        {"payload": (("deep.list.7.n", "3"),)},
        {"payload": (("task.deeper", "audit"),)},
        {"metadata": (("still_open", "a"),)},
        {"statuses": ("succeeded",), "has_evidence": True, "cue_name": "no"},
    ],
)
def test_one_thing_that_is_not_so_is_enough_to_leave_a_record_out(wanted: dict[str, Any]) -> None:
    assert not matches(**wanted)


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        ("3", "3", True),
        (3, "3", True),
        (3.0, "3", True),
        (True, "true", True),
        (True, "1", False),
        (1, "true", False),
        (None, "null", True),
        ("null", "null", True),
        ("a", '"a"', False),
        ('"a"', '"a"', True),
        ({"a": [1]}, '{ "a": [1] }', True),
        ("x", "", False),
        ("", "", True),
    ],
)
def test_a_value_is_compared_as_text_or_as_json(value: Any, wanted: str, same: bool) -> None:
    assert value_matches({"key": value}, "key", wanted) is same


def test_a_payload_in_a_file_is_asked_for() -> None:
    record = RECORD | {"payload": {}, "payload_ref": "f" * 64}
    wanted = ExecutionFilter(payload=(("task", "audit"),))

    assert wanted.matches(record, lambda _: {"task": "audit"})
    assert not wanted.matches(record, lambda _: None)


def test_a_blank_is_no_evidence() -> None:
    assert not has_evidence({"external_id": " \n", "artifacts": [], "result_url": None})
    assert has_evidence({"artifacts": ["report.txt"]})


def test_states_that_are_not_final_need_no_journal() -> None:
    assert not ExecutionFilter(statuses=("running", "waiting")).may_be_settled
    assert ExecutionFilter(statuses=("running", "failed")).may_be_settled
    assert ExecutionFilter().may_be_settled


def test_no_needle_is_empty() -> None:
    wanted = ExecutionFilter(payload=(("list.0", "3"),), metadata=(("0", "true"),))

    assert all(needle for group in wanted.needles() for needle in group)
