"""What the commands about workflows take, and how they show runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.workflows.catalogue import Catalogue
    from cuectl.model.workflow_run import WorkflowRun

Record = dict[str, Any]

MODULE = Option(
    name="--module",
    metavar="FILE",
    many=True,
    complete="file",
    help="A Python file, or a directory of them, with workflows; beside those of the definitions",
)
CONFIG = Option(
    name="--config",
    metavar="FILE",
    complete="file",
    help="A definition file that counts over the others: its agents, queues and workflows",
)

_STATUS = {
    "succeeded": 0,
    "crashed": 1,
    "failed": 3,
    "waiting": 4,
    "timed_out": 124,
    "cancelled": 130,
}

EXITS = (
    (1, "the procedure crashed; the traceback is in the run's log"),
    (3, "the procedure raised WorkflowError"),
    (4, "the run is parked: it waits for an answer or a time"),
    (124, "the run took longer than it may"),
    (130, "the run was cancelled; 143 when a signal asked for the end of the process"),
)


def load(call: Call, modules: tuple[str, ...], config: str | None) -> Catalogue:
    """Load the workflows; those that can't be loaded are warned of."""
    from cuectl.engine.workflows.catalogue import catalogue

    found = catalogue(call.runtime, modules, config)
    for broken in found.broken:
        call.out.warn(broken.message, hint="see: cuectl workflow check")
    return found


def narrator(call: Call, workflow: str) -> Any:
    """Return what prints the lines that a run says, on standard error."""

    def narrate(text: str) -> None:
        for line in text.splitlines() or [""]:
            call.out.tell(f"[{workflow}] {line}")

    return narrate


def finish(call: Call, run: WorkflowRun, signal: int | None) -> int:
    """Print how a run has ended, and return the exit status."""
    from cuectl.engine.workflows.runs import public
    from cuectl.model.workflow_values import result_text

    status = _STATUS.get(run.status.value, 3)
    if status == 130 and signal is not None:
        status = 128 + signal
    if call.out.json or call.out.plain:
        call.out.record(public(call.runtime.home, run))
    elif run.status.value == "succeeded":
        text = result_text(run.result)
        if text is not None:
            _print(call, text)
    elif run.status.value == "waiting":
        _say_parked(call, run)
    if not call.out.json and run.status.value not in ("succeeded", "waiting"):
        _say_failed(call, run)
    if run.is_live:
        _go_away(call, status)
    return status


def _print(call: Call, text: str) -> None:
    """Print a result; what stands in it came from agents and is shown, not sent."""
    from cuectl.model.terminal_text import visible

    shown = visible(text) if call.out.is_terminal else text
    call.out.document(shown if shown.endswith("\n") else f"{shown}\n")


def _say_failed(call: Call, run: WorkflowRun) -> None:
    import sys

    from cuectl.model.terminal_text import visible

    what = "" if run.status.value in ("failed", "cancelled", "timed_out") else "unexpected "
    lines = [f"cuectl: error: {what}{run.error or run.status.value}"]
    if run.status.value == "crashed":
        lines.append(f"hint: the traceback: cuectl workflow log {run.id}")
    sys.stderr.write("\n".join(visible(line) for line in lines) + "\n")


def _say_parked(call: Call, run: WorkflowRun) -> None:
    from cuectl.model.instants import to_text

    for wait in run.waits:
        if wait["kind"] == "answer":
            options = f" ({', '.join(wait['options'])})" if wait.get("options") else ""
            call.out.tell(f"parked: {wait['question']}{options}")
            call.out.tell(f"answer it: cuectl workflow answer {run.id} TEXT")
        else:
            call.out.tell(f"parked until {to_text(wait['until'])}")
    call.out.tell(f"a pass goes on with it then; or: cuectl workflow resume {run.id}")


def _go_away(call: Call, status: int) -> None:
    """End the process here: a parked procedure must not clean up as if it were over."""
    import os
    import sys

    call.out.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
