"""Everything that follows from an end or a start, in its order.

Each entry is a function of the module that owns the subject; a new consequence is a new line.
Rarely used code is loaded on demand: a function here says when, the other does the work.
"""

from __future__ import annotations

from cuectl.cues.progress import advance_cue, read_cue, release_children
from cuectl.executions.effects import Reactions
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import counts_as_failure, counts_as_success
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.settle import await_report, retry, start_checker
from cuectl.executions.targets import is_for_agent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.events.rules.event import Event
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution, Start
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction


def park_workflow(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage that an execution waits, when the run of its workflow does."""
    if end.execution.target.get("type") != "workflow":
        return None
    from cuectl.workflows.runs import park

    return park(tx, end, effects)


def ask_followup(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage the second turn of an agent, where one is asked for."""
    if not is_for_agent(end.execution.target):
        return None
    from cuectl.agents import start

    return start.ask_followup(tx, end, effects)


def pass_on_slot(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage that the turn of an agent leaves its slot, and who gets it."""
    if not is_for_agent(end.execution.target):
        return
    from cuectl.agents import slots

    slots.pass_on_slot(tx, end, effects)


def count_cost(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage what the turn of an agent has cost, where its definition limits that."""
    if not is_for_agent(end.execution.target):
        return
    from cuectl.agents import spending

    spending.count_cost(tx, end, effects)


def tell_listeners(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the event that an agent's run has ended."""
    if "agent" not in end.execution.target:
        return
    from cuectl.events import completions

    completions.tell_listeners(tx, end, effects)


def note_expected(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Note whether an end is in time, when its cue expects that."""
    if not end.execution.policy.expects and not _awaits(tx, end.execution.cue_id):
        return
    from cuectl.alerts import expectations

    expectations.note_end(tx, end, effects)


def _awaits(tx: Transaction, cue_id: str) -> bool:
    known = read_cue(tx, cue_id)
    return known is not None and known[1].expected is not None


def raise_alerts(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the alerts that an end raises, and clear those whose condition it ends."""
    done = end.execution
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    if end.notice is None and counts_as_success(done.status, word):
        known = read_cue(tx, done.cue_id)
        if known is None or not known[1].alerts:
            return
    from cuectl.alerts import incidents

    incidents.raise_alerts(tx, end, effects)


def close_incidents(tx: Transaction, cue: Cue, state: CueState, effects: Effects) -> None:
    """Close the incidents of a deleted cue, and say so."""
    if state.alerts:
        from cuectl.alerts import incidents

        incidents.close_of_deleted(tx, cue, state, effects)


def act_on_failure(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Pause the cue or call its webhook when its work failed and it asks for that."""
    done = end.execution
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    missed = done.status is ExecutionStatus.MISSED
    if done.policy.on_failure is None or not (missed or counts_as_failure(done.status, word)):
        return
    from cuectl.alerts import pings

    pings.act_on_failure(tx, end, effects)


def ping_end(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the ping that says how an execution ended."""
    if end.execution.policy.ping_url is None:
        return
    from cuectl.alerts import pings

    pings.ping_end(tx, end, effects)


def ping_start(tx: Transaction, execution: Execution, effects: Effects) -> None:
    """Stage the ping that an attempt starts."""
    if execution.policy.ping_url is None:
        return
    from cuectl.alerts import pings

    pings.ping_start(tx, execution, effects)


def wake_runs(tx: Transaction, event: Event, effects: Effects) -> None:
    """Stage that runs which wait for an event continue."""
    from cuectl.workflows import runs

    runs.wake_runs(tx, event, effects.now)


def start_turn(*beginnings: Any) -> Start:
    """Return the process of an agent's turn, from the starts of all processes."""
    from cuectl.agents.start import turn_start

    return turn_start(*beginnings)


def deliver_alerts(runtime: Runtime) -> None:
    """Start the process that delivers alerts; where none can be made, a later pass tries again."""
    from contextlib import suppress

    from cuectl.alerts.delivery import start_delivery

    with suppress(OSError):
        start_delivery(runtime)


REACTIONS = Reactions(
    # An attempt has ended: the first of these that applies keeps its execution open.
    goes_on=(
        park_workflow,  # It waits while the run of its workflow waits.
        ask_followup,  # Its agent takes a second turn, where one is asked for.
        start_checker,  # A command verifies its outcome.
        await_report,  # Its outcome is reported from outside, within a deadline.
        retry,  # It failed, and its policy grants another attempt.
    ),
    # Then all of these, however it ended; each handles the steps that concern it.
    follows=(
        release_children,  # The cues that wait for its verdict start, or end without a run.
        advance_cue,  # Its cue counts it, becomes idle, or claims the next one in its queue.
        count_cost,  # Its agent's daily budget pays for it.
        pass_on_slot,  # Its agent's slot goes to the next turn in line.
        tell_listeners,  # Subscriptions hear that an agent's run has ended.
        note_expected,  # People hear that it was slow, or that late work is done.
        raise_alerts,  # People hear of failures; a success clears their alerts.
        act_on_failure,  # Its cue is paused, or a webhook called, where it asks for that.
        ping_end,  # The cue's monitor hears how it ended.
    ),
    # A pass has claimed an execution.
    starts=(ping_start,),
    # An event was recorded that a parked run may wait for.
    hears=(wake_runs,),
    # A cue is deleted.
    deletes=(close_incidents,),
    # Types of target whose processes are not started as a handler's.
    starters={"agent": start_turn},
    deliver=deliver_alerts,
)
