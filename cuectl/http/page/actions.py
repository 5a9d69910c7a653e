"""What the buttons of the page do: each is what a command does, in the name of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.alerts.alerts import acknowledge_alerts
from cuectl.cues.change import stage_pause, stage_resume
from cuectl.cues.fire import fire, run_again
from cuectl.cues.lookup import find_cue
from cuectl.executions.cancel import cancel_one
from cuectl.executions.lookup import get_execution
from cuectl.executions.verify import verify_one
from cuectl.values.errors import NotFound, UsageError
from cuectl.workflows.runs import answer_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.process.runtime import Runtime

    Form = Mapping[str, str]

BY = "page"
_LONGEST = 4_000


def act(runtime: Runtime, action: str, subject: str, form: Form) -> tuple[str, str]:
    """Do what a button says; return what to tell the person, and the page to show.

    Raises NotFound, Conflict, UsageError: as the command does.
    """
    if (action not in ACTIONS and action not in _OF_CUES) or runtime.existing_store is None:
        raise NotFound(f"there is nothing to {action[:40]}")
    runtime.store.by = BY
    try:
        if action in ACTIONS:
            return ACTIONS[action](runtime, subject, form)
        return _change_cue(runtime, action, subject)
    finally:
        runtime.store.by = None


def _change_cue(runtime: Runtime, action: str, subject: str) -> tuple[str, str]:
    with runtime.store.transaction(runtime.now()) as tx:
        cue, state = find_cue(tx, subject)
        if action == "fire":
            execution = fire(tx, cue, state, tx.now, runtime.random)
            said = f"'{cue.name}' is queued; it starts on the next pass"
            return said, f"executions/{execution.id}"
        pauses = action == "pause"
        done = stage_pause(tx, cue, state) if pauses else stage_resume(tx, cue, state).changed
    before = "was already paused" if pauses else "was not paused"
    return f"{action}d '{cue.name}'" if done else f"'{cue.name}' {before}", ""


def _retry(runtime: Runtime, subject: str, _form: Form) -> tuple[str, str]:
    old = get_execution(runtime, subject)
    with runtime.store.transaction(runtime.now()) as tx:
        fresh = run_again(tx, old, tx.now, runtime.random)
    done = "skipped: its cue was deleted" if fresh.is_settled else "queued for the next pass"
    return f"'{fresh.cue_name}' again: {done}", f"executions/{fresh.id}"


def _cancel(runtime: Runtime, subject: str, _form: Form) -> tuple[str, str]:
    return cancel_one(runtime, subject, "from the page"), f"executions/{subject}"


def _ack(runtime: Runtime, subject: str, _form: Form) -> tuple[str, str]:
    acknowledge_alerts(runtime, [subject], everything=False)
    return "acknowledged", "alerts"


def _verify(runtime: Runtime, subject: str, form: Form) -> tuple[str, str]:
    if form.get("text") not in ("accept", "reject"):
        raise UsageError("accept or reject it")
    accept = form["text"] == "accept"
    done = verify_one(runtime, subject, accept=accept, reason=None)
    return f"{'accepted' if accept else 'rejected'} '{done.cue_name}'", f"executions/{done.id}"


def _answer(runtime: Runtime, subject: str, form: Form) -> tuple[str, str]:
    run_id, _, step = subject.partition(":")
    text = form.get("text", "")
    if not text or len(text) > _LONGEST:
        raise UsageError(f"an answer has 1 to {_LONGEST} characters")
    run = answer_run(runtime, run_id, text, int(step) if step.isdecimal() else None)
    return f"answered; '{run.workflow}' continues on the next pass", f"workflows/{run.id}"


ACTIONS: dict[str, Callable[[Runtime, str, Form], tuple[str, str]]] = {
    "retry": _retry,
    "cancel": _cancel,
    "ack": _ack,
    "verify": _verify,
    "answer": _answer,
}
_OF_CUES = ("fire", "pause", "resume")
