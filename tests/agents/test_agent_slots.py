"""The slots of an agent in the store: who gets one, who waits, who is sent away."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.agents.listing import slots_in
from cuectl.agents.slots import line, promote, seat
from cuectl.definitions.in_force import InForce
from cuectl.definitions.rules.definitions import AgentDefinition, Definitions
from cuectl.executions import claim
from cuectl.executions.effects import Effects
from cuectl.executions.rules.record import Execution, ExecutionStatus, execution_from_record
from cuectl.executions.settle import finish
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace
from cuectl.values.times import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from tests.conftest import ManualClock

NOBODY = InForce()


def bot(**limits: Any) -> InForce:
    """Return definitions with one agent."""
    agent = AgentDefinition(
        name="bot", id="b-1", driver="command", argv=("cat",), cwd="/", **limits
    )
    return InForce(definitions=Definitions(agents={"bot": agent}))


@contextmanager
def change(
    runtime: Runtime, in_force: InForce, pass_id: str | None = None
) -> Iterator[tuple[Transaction, Effects]]:
    """Change the store as a command does, or as a pass."""
    with runtime.store.transaction(runtime.now()) as tx:
        effects = Effects(
            now=tx.now,
            random=runtime.random,
            in_force=in_force,
            pass_id=pass_id,
            boot="b",
            reactions=runtime.reactions,
        )
        if pass_id is not None:
            effects.room = lambda: 100
        yield tx, effects


def wish(name: str, cue: str | None = None, **more: Any) -> Execution:
    """Return an execution that wants to ask the agent."""
    return Execution(
        id=f"exec_{name}",
        cue_id=f"cue_{cue or name}",
        cue_name=cue or name,
        status=ExecutionStatus.PENDING,
        scheduled_for=0,
        root_id=f"exec_{name}",
        target={"type": "agent", "agent": more.pop("agent", "bot"), "prompt": "x"},
        **more,
    )


def seated(runtime: Runtime, in_force: InForce, *wishes: Execution) -> list[str]:
    """Seat them in one change of a pass; return their states."""
    with change(runtime, in_force, "p") as (tx, effects):
        return [seat(tx, one, effects).status.value for one in wishes]


def waiting(runtime: Runtime) -> list[str]:
    """Return who waits, in order."""
    with runtime.store.transaction(runtime.now()) as tx:
        return [place.rsplit(".", 2)[1] for place in line(tx, "bot")]


def test_the_name_and_the_id_of_an_agent_lead_to_the_same_slots(runtime: Runtime) -> None:
    states = seated(runtime, bot(), wish("1"), wish("2", agent="b-1"))
    assert states == ["pending", "queued"]


def test_who_finds_the_line_full_is_missed_but_not_who_tries_again(runtime: Runtime) -> None:
    wishes = [wish("1"), wish("2"), wish("3"), wish("4", attempt=2)]
    states = seated(runtime, bot(queue_size=1), *wishes)
    assert states == ["pending", "queued", "missed", "queued"]
    assert waiting(runtime) == ["exec_2", "exec_4"]


def test_a_free_slot_goes_to_the_first_who_does_not_wait_for_itself(runtime: Runtime) -> None:
    in_force = bot(max_concurrent=2)
    first, again = wish("1", cue="x"), wish("2", cue="x")
    assert seated(runtime, in_force, first, again, wish("3")) == ["pending", "queued", "pending"]
    assert seated(runtime, in_force, wish("4")) == ["queued"]
    with change(runtime, in_force, "p") as (tx, effects):
        found = tx.decoded(paths.open_execution("exec_3"), execution_from_record)
        assert found is not None
        done = replace(found, status=ExecutionStatus.SUCCEEDED)
        finish(tx, done, effects, {paths.open_execution("exec_3"): None})
    assert [one.id for one in effects.claimed] == ["exec_4"]
    assert waiting(runtime) == ["exec_2"]


def test_nobody_overtakes_who_could_have_the_slot(runtime: Runtime) -> None:
    in_force = bot()
    assert seated(runtime, in_force, wish("1"), wish("2")) == ["pending", "queued"]
    with change(runtime, in_force) as (tx, _):
        # The slot falls free without anybody giving it to the next.
        empty = {"agent": "bot", "held": [], "waiting": 1, "number": 1}
        tx.stage(claim.open_event("noted", wish("9"), {paths.agent_slots("bot"): empty}))
    assert seated(runtime, in_force, wish("3")) == ["queued"]
    with change(runtime, in_force, "p") as (tx, effects):
        promote(tx, "bot", effects)
    assert [one.id for one in effects.claimed] == ["exec_2"]


def test_a_command_leaves_what_it_has_served_to_the_next_pass(runtime: Runtime) -> None:
    in_force = bot()
    seated(runtime, in_force, wish("1"), wish("2"))
    with change(runtime, in_force) as (tx, effects):
        found = tx.decoded(paths.open_execution("exec_1"), execution_from_record)
        assert found is not None
        done = replace(found, status=ExecutionStatus.CANCELLED, reason="by hand")
        finish(tx, done, effects, {paths.open_execution("exec_1"): None})
    store = runtime.store
    assert store.read(paths.open_execution("exec_2")) is None
    pending = store.read(paths.waiting_execution("exec_2"))
    assert pending is not None
    assert pending["status"] == "pending"
    assert slots_in(store, "bot").holds("exec_2")


def test_who_waits_for_an_agent_that_nobody_knows_is_sent_away_in_the_end(
    runtime: Runtime, clock: ManualClock
) -> None:
    seated(runtime, bot(), wish("1"), wish("2"))
    with change(runtime, NOBODY, "p") as (tx, effects):
        promote(tx, "bot", effects)
    assert waiting(runtime) == ["exec_2"]
    clock.advance(31 * 60)
    with change(runtime, NOBODY, "p") as (tx, effects):
        promote(tx, "bot", effects)
    assert waiting(runtime) == []
    assert slots_in(runtime.store, "bot").waiting == 0


@pytest.mark.parametrize(("minutes", "left"), [(30, ["exec_2"]), (31, [])])
def test_who_has_waited_longer_than_a_turn_may_take_is_not_served(
    runtime: Runtime, clock: ManualClock, minutes: int, left: list[str]
) -> None:
    in_force = bot()
    seated(runtime, in_force, wish("1"), wish("2"))
    clock.advance(minutes * MINUTE / 1000)
    with change(runtime, in_force, "p") as (tx, effects):
        found = tx.decoded(paths.open_execution("exec_1"), execution_from_record)
        assert found is not None
        done = replace(found, status=ExecutionStatus.SUCCEEDED)
        finish(tx, done, effects, {paths.open_execution("exec_1"): None})
    assert [one.id for one in effects.claimed] == left
    assert waiting(runtime) == []


def test_a_slot_is_free_again_when_its_holder_is_gone(runtime: Runtime) -> None:
    in_force = bot()
    assert seated(runtime, in_force, wish("gone"), wish("1")) == ["pending", "queued"]
    with change(runtime, in_force, "p") as (tx, effects):
        gone = paths.open_execution("exec_gone")
        tx.stage(JournalEntry(type="execution.forgotten", set={gone: None}))
        promote(tx, "bot", effects)
    assert [one.id for one in effects.claimed] == ["exec_1"]
