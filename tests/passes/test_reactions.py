"""What follows from an end: all of it, in one list, in one group, each end once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cuectl.agents.slots import seat
from cuectl.applying.apply import apply_file
from cuectl.cues.create import chain_cue, create_cue
from cuectl.cues.lookup import find_cue
from cuectl.cues.rules.draft import CueDraft
from cuectl.cues.rules.record import Parent
from cuectl.definitions.in_force import definitions
from cuectl.executions.attempt_result import AttemptEvidence
from cuectl.executions.claim import new_execution, open_event
from cuectl.executions.effects import Effects, ExecutionEnd, Reactions, Step, context_of
from cuectl.executions.rules.record import Ended, ExecutionStatus
from cuectl.executions.rules.verdict import Verdict
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.settle import finish, settle
from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Runtime
from cuectl.store import paths
from cuectl.store.journal.segments import read_lines
from cuectl.values.records import replace
from tests.fixtures.cue_making import found
from tests.fixtures.passing import a_cue, views_are_implied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction

DEFINITIONS = """
agents:
  bot: {driver: command, cmd: [cat], cwd: /}
  other: {driver: command, cmd: [cat], cwd: /}
subscriptions:
  - {name: heard, event: agent.completed, source_session: bot, agent: other, prompt: "x"}
"""


def test_the_list_is_complete_and_in_its_order() -> None:
    assert [one.__name__ for one in REACTIONS.goes_on] == [
        "park_workflow",
        "ask_followup",
        "start_checker",
        "await_report",
        "retry",
    ]
    assert [one.__name__ for one in REACTIONS.follows] == [
        "release_children",
        "advance_cue",
        "count_cost",
        "pass_on_slot",
        "tell_listeners",
        "note_expected",
        "raise_alerts",
        "act_on_failure",
        "ping_end",
    ]
    assert [one.__name__ for one in REACTIONS.starts] == ["ping_start"]
    assert list(REACTIONS.starters) == ["agent"]


@contextmanager
def change(
    runtime: Runtime, reactions: Reactions = REACTIONS
) -> Iterator[tuple[Transaction, Effects]]:
    """Change the store as a pass does."""
    with runtime.store.transaction(runtime.now()) as tx:
        context = context_of(runtime, definitions(tx), pass_id="p")
        context.reactions = lambda: reactions
        effects = context.effects(tx.now)
        effects.room = lambda: 100
        yield tx, effects


def opened(runtime: Runtime, name: str, key: str = "a") -> Execution:
    """Return an execution of a cue that is at work."""
    with runtime.store.transaction(runtime.now()) as tx:
        cue, state = find_cue(tx, name)
        execution = new_execution(cue, tx.now, key=key)
        running = replace(state, running=(*state.running, execution.id))
        tx.stage(open_event("claimed", execution, {paths.state(cue.id): running.to_record()}))
    return execution


def over(
    tx: Transaction,
    execution: Execution,
    effects: Effects,
    status: ExecutionStatus = ExecutionStatus.INTERRUPTED,
) -> None:
    done = replace(execution, status=status, ended_at=effects.now)
    finish(tx, done, effects, {paths.open_execution(done.id): None})


def lines_since(runtime: Runtime, before: int) -> list[dict[str, Any]]:
    return list(read_lines(runtime.home))[before:]


def count(runtime: Runtime) -> int:
    return len(list(read_lines(runtime.home)))


def test_one_end_sets_off_each_of_them_in_its_group(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "cue.yaml"
    file.write_text(DEFINITIONS)
    apply_file(runtime, str(file))
    policy = {"ping_url": "http://127.0.0.1:9/c", "overlap": "allow"}
    cue = create_cue(runtime, CueDraft(name="ask", agent="bot", prompt="x", policy=policy)).cue
    with change(runtime) as (tx, effects):
        first = seat(tx, new_execution(cue, tx.now, key="a"), effects)
        second = seat(tx, new_execution(cue, tx.now, key="b"), effects)
    assert (first.status.value, second.status.value) == ("pending", "queued")
    child = chain_cue(
        runtime,
        Parent(execution_id=first.id, cue_name="ask", root_id=first.root_id, depth=0, attempt=1),
        CueDraft(name="after", argv=("true",)),
        when="always",
        key=None,
        delay_s=None,
    )
    before = count(runtime)
    with change(runtime) as (tx, effects):
        held = tx.read(paths.open_execution(first.id)) or {}
        over(tx, replace(first, held=tuple(held["held"])), effects)
        staged = tx.count

    lines = lines_since(runtime, before)
    assert [line["type"] for line in lines] == [
        "execution.settled",
        "cue.released",
        "execution.claimed",
        "event.recorded",
        "execution.claimed",
        "alert.raised",
    ]
    assert staged == len(lines)
    assert lines[1]["cue"] == child.cue.id
    assert lines[0]["record"].get("held") is None
    assert [one.cue_name for one in effects.claimed] == ["ask", "heard"]
    assert found(runtime, "ask")[1].failures == 1
    assert [line for line in effects.lines if line.startswith("alert: interrupted")]
    ping = f"pings/{first.id}.1.end.json"
    assert any(line.get("set", {}).get(ping, {}).get("kind") == "fail" for line in lines)
    assert effects.deliver
    assert views_are_implied(runtime)


def test_what_ends_because_of_an_end_is_settled_in_the_same_group_once(runtime: Runtime) -> None:
    a_cue(runtime)
    executions = [opened(runtime, "job", key) for key in "abc"]
    first, second, third = (one.id for one in executions)
    seen: list[tuple[str, str, int]] = []

    def end_the_next(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
        seen.append(("one", end.execution.id, len(effects.ended)))
        place = [one.id for one in executions].index(end.execution.id)
        if place == 0:
            over(tx, executions[1], effects)
            over(tx, executions[2], effects)

    def look(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
        assert end.step is Step.OVER
        seen.append(("two", end.execution.id, len(effects.ended)))

    before = count(runtime)
    with change(runtime, Reactions(follows=(end_the_next, look))) as (tx, effects):
        over(tx, executions[0], effects)
        assert not effects.ended

    assert seen == [
        ("one", first, 0),
        ("two", first, 2),
        ("one", second, 1),
        ("two", second, 1),
        ("one", third, 0),
        ("two", third, 0),
    ]
    lines = lines_since(runtime, before)
    assert [line["record"]["id"] for line in lines] == [first, second, third]


def test_the_first_that_applies_keeps_an_execution_from_being_over(runtime: Runtime) -> None:
    a_cue(runtime, policy={"max_attempts": 2})
    execution = opened(runtime, "job")
    ended = Ended(execution_id=execution.id, attempt=1, exit_code=7, ended_at=runtime.now())
    verdict = Verdict(
        status=ExecutionStatus.FAILED,
        outcome_state=OutcomeState.REPORTED_FAILURE,
        reason="exit status 7",
    )
    steps: list[Step] = []
    reactions = replace(REACTIONS, follows=(lambda _tx, end, _effects: steps.append(end.step),))
    before = count(runtime)
    with change(runtime, reactions) as (tx, effects):
        settle(tx, execution, ended, AttemptEvidence(), verdict, effects)
    assert [line["type"] for line in lines_since(runtime, before)] == ["execution.waiting"]
    assert steps == [Step.NEXT_ATTEMPT]


def test_a_process_without_reactions_settles_nothing(runtime: Runtime) -> None:
    bare = Runtime(home=runtime.home, environment={}, clock=runtime.clock)
    with pytest.raises(TypeError, match="without reactions"):
        bare.reactions()
