from __future__ import annotations

import json
from dataclasses import replace

from cuectl.applying.rules import plan_apply
from cuectl.definitions.rules.definitions import (
    AgentDefinition,
    CueDefinition,
    Definitions,
    Handler,
    Settings,
)
from cuectl.executions.rules.record import CatchUp, Policy

HANDLER = Handler(name="audit", shell="x", cwd="/srv", timeout_s=60, env={"A": "1"})
CUE = CueDefinition(
    name="nightly",
    trigger={"type": "cron", "expression": "0 2 * * *"},
    target={"type": "task", "task": "audit"},
    payload={"depth": "full"},
)
OLD = Definitions(handlers={"audit": HANDLER}, cues={"nightly": CUE})


def test_a_file_that_is_new_adds_everything() -> None:
    plan = plan_apply(None, OLD)

    assert [change.subject for change in plan.added] == ["handler 'audit'", "cue 'nightly'"]
    assert (plan.changed, plan.removed) == ((), ())
    assert plan.lines() == [
        "+ handler 'audit'",
        "    shell: x",
        "    timeout_s: 60",
        "    env.A: 1",
        "    cwd: /srv",
        "+ cue 'nightly'",
        "    trigger.type: cron",
        "    trigger.expression: 0 2 * * *",
        "    target.type: task",
        "    target.task: audit",
        "    payload.depth: full",
    ]


def test_the_same_file_changes_nothing() -> None:
    plan = plan_apply(OLD, OLD)

    assert plan.is_empty
    assert plan.lines() == []


def test_what_changes_is_shown_member_by_member() -> None:
    policy = Policy(catch_up=CatchUp.ALL, backoff_s=(1, 2), max_attempts=2)
    new = Definitions(
        handlers={"audit": replace(HANDLER, timeout_s=None, env={"A": "2", "B": "3"})},
        cues={"nightly": replace(CUE, policy=policy, payload={})},
    )
    plan = plan_apply(OLD, new)

    assert (plan.added, plan.removed) == ((), ())
    assert plan.lines() == [
        "~ handler 'audit'",
        "    timeout_s: 60 -> (not set)",
        "    env.A: 1 -> 2",
        "    env.B: (not set) -> 3",
        "~ cue 'nightly'",
        "    payload.depth: full -> (not set)",
        "    policy.max_attempts: (not set) -> 2",
        "    policy.backoff_s: (not set) -> [1, 2]",
        "    policy.catch_up: (not set) -> all",
    ]


def test_what_is_gone_from_the_file_goes_away() -> None:
    agent = AgentDefinition(name="b", driver="claude", cwd="/srv")
    plan = plan_apply(OLD, Definitions(cues={"nightly": CUE}, agents={"b": agent}))

    assert plan.lines() == [
        "+ agent 'b'",
        "    driver: claude",
        "    cwd: /srv",
        "- handler 'audit'",
    ]


def test_a_thing_that_was_renamed_is_added_and_removed() -> None:
    plan = plan_apply(OLD, replace(OLD, cues={"daily": replace(CUE, name="daily")}))

    assert [change.name for change in plan.added] == ["daily"]
    assert [change.name for change in plan.removed] == ["nightly"]


def test_settings_secrets_and_workflows_are_part_of_the_plan() -> None:
    old = Definitions(
        settings=Settings(max_parallel=4, queue_size=1, given=("max_parallel", "queue_size")),
        secrets=("A",),
    )
    new = Definitions(
        settings=Settings(max_parallel=5, timezone="UTC", given=("timezone", "max_parallel")),
        workflows=("/srv/flows.py",),
    )
    assert plan_apply(old, new).lines() == [
        "+ setting 'timezone'",
        "    value: UTC",
        "+ workflow module '/srv/flows.py'",
        "~ setting 'max_parallel'",
        "    value: 4 -> 5",
        "- setting 'queue_size'",
        "- secret 'A'",
    ]


def test_a_setting_that_is_said_although_it_is_the_default_is_one() -> None:
    new = Definitions(settings=Settings(max_parallel=16, given=("max_parallel",)))

    assert [change.name for change in plan_apply(Definitions(), new).added] == ["max_parallel"]


def test_texts_from_outside_stay_on_their_line() -> None:
    new = replace(OLD, cues={"nightly": replace(CUE, description="a\nb\x1b[2J  c")})

    assert plan_apply(OLD, new).lines() == [
        "~ cue 'nightly'",
        "    description: (not set) -> a\\nb\\x1b[2J  c",
    ]


def test_long_texts_are_shown_where_they_differ() -> None:
    old = replace(OLD, cues={"nightly": replace(CUE, description="x" * 500 + "old")})
    new = replace(OLD, cues={"nightly": replace(CUE, description="x" * 500 + "new")})

    assert plan_apply(old, new).lines()[1] == (f"    description: …{'x' * 20}old -> …{'x' * 20}new")


def test_the_json_form_holds_both_sides() -> None:
    new = Definitions(cues={"nightly": replace(CUE, description="d")})
    record = json.loads(json.dumps(plan_apply(OLD, new).to_record()))

    assert record["added"] == []
    assert record["changed"][0]["kind"] == "cue"
    assert record["changed"][0]["name"] == "nightly"
    assert record["changed"][0]["after"]["description"] == "d"
    assert record["removed"][0]["kind"] == "handler"
    assert record["removed"][0]["after"] is None
