from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cuectl.cues.rules.draft import CueDraft, check_policy
from cuectl.cues.rules.new_cue import changed_cue, name_from_work, new_cue
from cuectl.cues.rules.record import Cue, Origin
from cuectl.executions.rules.record import Policy
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

NOW = from_text("2026-11-21T02:00:00Z")


def make(**fields: Any) -> Cue:
    draft = CueDraft(**({"name": "backup"} | fields))
    return new_cue(draft, cue_id="cue_1", now=NOW, zone="UTC", origin=Origin())


def change(cue: Cue, **fields: Any) -> Cue:
    return changed_cue(cue, CueDraft(**fields), now=NOW + 5000, zone="UTC")


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"task": "audit"}, {"type": "task", "task": "audit"}),
        ({"payload": {"task": "audit"}}, {"type": "task", "task": "audit"}),
        ({"payload": {"task": "a"}, "task": "a"}, {"type": "task", "task": "a"}),
        ({"argv": ("a", "")}, {"type": "command", "argv": ["a", ""]}),
        ({"shell": "a | b", "cwd": "/x"}, {"type": "command", "shell": "a | b", "cwd": "/x"}),
        # A command may have a payload that speaks of tasks for reasons of its own.
        ({"argv": ("a",), "payload": {"task": 7}}, {"type": "command", "argv": ["a"]}),
    ],
)
def test_a_draft_says_what_runs(fields: dict[str, Any], target: dict[str, Any]) -> None:
    assert make(**fields).target == target


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "has nothing to run"),
        ({"payload": {"n": 1}}, "has nothing to run"),
        ({"task": "a", "shell": "b"}, "runs one thing"),
        ({"argv": ("a",), "shell": "b"}, "runs one thing"),
        ({"argv": ()}, "names no program"),
        ({"argv": ("",)}, "names no program"),
        ({"shell": "  "}, "is empty"),
        ({"argv": ("a", "\0")}, "NUL"),
        ({"task": "a\nb"}, "contains a line break"),
        ({"payload": {"task": ["a"]}}, "not the name of a handler"),
        ({"payload": {"task": "a"}, "task": "b"}, "has the task 'a', not 'b'"),
        ({"task": "a", "env": {"X": "1"}}, "to a command only"),
        ({"argv": ("a",), "env": {"X=": "1"}}, "not the name of a variable"),
        ({"argv": ("a",), "env": {"X": "\0"}}, "NUL"),
        ({"argv": ("a",), "description": "x" * 5000}, "more than 4096"),
        ({"argv": ("a",), "name": "a\tb"}, "contains"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**fields)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy(verification="command"), "needs a command"),
        (Policy(verification="none", check=("a",)), "needs the mode 'command', not"),
        (Policy(timeout_s=0), "'timeout' must be more"),
        (Policy(deadline_s=-1), "'deadline' must be more"),
        (Policy(outcome_deadline_s=0), "'outcome_deadline' must be more"),
        (Policy(max_attempts=0), "not -1"),
        (Policy(max_attempts=102), "not 101"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: Policy, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_policy(policy)


def test_a_change_that_changes_nothing_is_the_cue_itself() -> None:
    cue = make(argv=("a",), cron="@daily", description="x")

    assert change(cue, cron="@daily", description="x", name="backup") == cue


def test_a_change_has_its_own_time() -> None:
    cue = make(argv=("a",))

    assert change(cue, description="x") == replace(cue, description="x", updated_at=NOW + 5000)


def test_a_new_payload_chooses_the_task_that_a_payload_has_chosen() -> None:
    by_payload = make(payload={"task": "a"})
    assert change(by_payload, payload={"task": "b"}).target["task"] == "b"
    assert change(by_payload, payload={"n": 1}).target["task"] == "a"
    by_command = make(argv=("x",))
    assert change(by_command, payload={"task": "b"}).target == by_command.target


def test_a_task_becomes_a_command_and_back() -> None:
    cue = change(make(task="a"), argv=("x",), cwd="/srv", env={"A": "1"})
    assert cue.target == {"type": "command", "argv": ["x"], "cwd": "/srv", "env": {"A": "1"}}

    assert change(cue, task="b").target == {"type": "task", "task": "b"}


def test_a_task_has_no_variables_of_its_own() -> None:
    with pytest.raises(UsageError, match="to a command only"):
        change(make(task="a"), env={"A": "1"})


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"task": "audit"}, "audit"),
        ({"payload": {"task": "audit"}}, "audit"),
        ({"argv": ("/usr/bin/git", "gc")}, "git"),
        ({"argv": ("./a b.sh",)}, "a-b.sh"),
        ({"shell": "./b.sh | gzip"}, "b.sh"),
        ({"shell": "'; rm"}, "cue"),
        ({"argv": ("/",)}, "cue"),
        ({"argv": ("x" * 300,)}, "x" * 60),
        ({"payload": {"task": 7}}, "cue"),
    ],
)
def test_a_cue_is_named_after_its_work(fields: dict[str, Any], name: str) -> None:
    assert name_from_work(CueDraft(**fields)) == name
