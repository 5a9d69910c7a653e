"""`cuectl fire`: start a cue now, whatever its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.execution import Execution


def run(
    call: Call,
    *,
    name: str,
    payload: str | None,
    merge: bool,
    at: str | None,
    wait: bool,
    timeout: float | None,
) -> int | None:
    """Make a pending execution; with --wait, run it here."""
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.fire import fire
    from cuectl.model.errors import NotFound

    runtime = call.runtime
    override = _payload(payload)
    if merge and override is None:
        raise UsageError("'--merge' goes with '--payload'")
    check_wait(timeout, wait=wait)
    if runtime.existing_store is None:
        raise NotFound(f"no cue named '{name}'", hint="all names: cuectl list")
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        cue, state = find_cue(tx, name)
        if override is not None and merge:
            override = {**cue.payload, **override}
        start = _moment(call, at, now)
        execution = fire(tx, cue, state, now, runtime.random, at=start, payload=override)
    if wait:
        return wait_here(call, execution, timeout)
    line = f"{execution.id}  {cue.name}  {_when(call, execution, now)}"
    call.out.record(public(call, execution), [line])
    return None


def _payload(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    from cuectl.cli.payload_option import read_payload

    return read_payload(text)


def _moment(call: Call, text: str | None, now: int) -> int | None:
    if text is None:
        return None
    from cuectl.model.moments import parse_moment

    return parse_moment(text, now_ms=now, zone_name=call.runtime.zone)


def _when(call: Call, execution: Execution, now: int) -> str:
    due_at = execution.due_at or now
    return "due now; the next pass runs it" if due_at <= now else call.out.when(due_at, now)


def public(call: Call, execution: Execution) -> dict[str, object]:
    """Return the public form of an execution."""
    from cuectl.engine.executions import public as public_form
    from cuectl.store.reading import open_reader

    return public_form(open_reader(call.runtime.existing_store), execution.to_record())


def check_wait(timeout: float | None, *, wait: bool) -> None:
    """Refuse a limit for a wait that nobody asked for."""
    if timeout is not None and not wait:
        hint = "the time limit of a run is its cue's: cuectl update NAME --timeout DUR"
        raise UsageError("'--timeout' goes with '--wait'", hint=hint)


def wait_here(call: Call, execution: Execution, timeout: float | None) -> int:
    """Run an execution in the foreground and say how it ended."""
    from cuectl.cli.live_lines import live_lines
    from cuectl.engine.await_end import exit_status, run_until_over
    from cuectl.engine.clock import monotonic_s

    deadline = None if timeout is None else monotonic_s() + timeout
    lines = live_lines(call)
    try:
        watch = lines.watch if lines else None
        done = run_until_over(call.runtime, execution.id, deadline, watch)
    finally:
        if lines:
            lines.clear()
    show_end(call, done)
    return exit_status(done)


def show_end(call: Call, done: Execution) -> None:
    """Print how an execution ended."""
    words = [done.id, done.cue_name, done.status.value]
    if done.outcome_state:
        words.append(done.outcome_state)
    if done.reason:
        words.append(f"({done.reason})")
    call.out.record(public(call, done), ["  ".join(words)])


command = Command(
    name="fire",
    summary="Start a cue now, whatever its schedule",
    description=(
        "Makes a pending execution, which the next pass runs. It has an identity of its own and "
        "uses up no scheduled occurrence; a paused cue can be fired too. While an earlier "
        "execution of the cue runs, the new one waits for its end.\n\n"
        "With --wait it is run here, in the foreground, retries included, and the exit status "
        "says how it ended: 0 succeeded and verified where asked, 3 failed, 4 ran but is not "
        "believed, 124 timed out, 130 cancelled."
    ),
    arguments=(Argument(name="NAME", help="Cue name, id or prefix of an id", complete="cue"),),
    options=(
        Option(
            name="--payload",
            metavar="JSON",
            help="A payload for this run: JSON, @FILE, or - for standard input",
        ),
        Option(name="--merge", help="Add the payload to the cue's instead of replacing it"),
        Option(name="--at", metavar="TIME", help="Not before this time"),
        Option(name="--wait", help="Run it here and wait for its end"),
        Option(
            name="--timeout", metavar="DUR", help="With --wait: wait no longer", convert=duration
        ),
    ),
    exits=(
        (3, "with --wait: it failed, was interrupted, missed or skipped"),
        (4, "with --wait: it ran, but is not verified"),
        (124, "with --wait: it timed out, or was not over in time"),
        (130, "with --wait: it was cancelled"),
    ),
    see_also=("cuectl-run-due(1)", "cuectl-wait(1)"),
    run=run,
)
