"""Start a cue now, decide about executions, and report the outcome of one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from cuectl.cli.commands.input import EXECUTION_ID, REASON, read_payload
from cuectl.cli.frame.declare import Argument, Option, command, duration, key_value
from cuectl.values.errors import ExitStatus, NotFound, UsageError

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime

_EXECUTION = Argument("EXECUTION", EXECUTION_ID.help, complete="execution")
_EXECUTIONS = Argument("EXECUTION...", _EXECUTION.help, complete="execution")
_TIMEOUT = Option("--timeout DUR", "With --wait: wait at most this long", duration)
_FAILED = {
    3: "with --wait: it failed, was interrupted, missed or skipped",
    4: "with --wait: it ran, but is not verified",
}
_CUT_SHORT = {
    124: "with --wait: it timed out, or did not finish in time",
    130: "with --wait: it was cancelled",
}


@command(
    "fire",
    Argument("NAME", "Cue name, id or prefix of an id", complete="cue"),
    Option("--payload JSON", "A payload for this run: JSON, @FILE, or - for standard input"),
    Option("--merge", "Add the payload to the cue's instead of replacing it"),
    Option("--at TIME", "Not before this time"),
    Option("--wait", "Run it here and wait until it finishes"),
    Option("-f, --follow", "With --wait: print the output as it comes"),
    Option("--as-scheduled", "With --wait: run it with the environment of your scheduler"),
    _TIMEOUT,
    exits={**_FAILED, **_CUT_SHORT},
    see="run-due, wait, logs",
)
def fire_cue(
    call: Call,
    *,
    name: str,
    payload: str | None,
    merge: bool,
    at: str | None,
    wait: bool,
    follow: bool,
    as_scheduled: bool,
    timeout: float | None,
) -> int | None:
    """Start a cue now, whatever its schedule.

    Makes a pending execution, which the next pass runs. It does not affect the schedule, and you
    can fire a paused cue too. If an earlier execution of the cue is running, the new one waits for
    it.

    With --wait it runs here, in the foreground, retries included, and the exit status is its
    result: 0 succeeded, and verified if asked for, 3 failed, 4 ran but was not verified, 124 timed
    out, 130 cancelled. Standard error says what it waits for. With --follow you see its output
    live. Ctrl-C cancels it if it runs here; if it has not started, it stays queued.

    With --as-scheduled it sees PATH, HOME, SHELL and LANG as your scheduler gave them to its newest
    pass, and no other variable of your shell: a command that works here and fails under cron fails
    here too.
    """
    from cuectl.cues.fire import fire
    from cuectl.cues.lookup import find_cue, no_cue

    runtime = call.runtime
    override = read_payload(payload)
    if merge and override is None:
        raise UsageError("'--merge' goes with '--payload'")
    _check_wait(wait, timeout=timeout, follow=follow, as_scheduled=as_scheduled)
    if follow:
        from cuectl.cli.commands.live.follow import refuse_records

        refuse_records(call)
    if runtime.existing_store is None:
        raise no_cue(name)
    pass_runtime = _as_scheduled(call) if as_scheduled else runtime
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        cue, state = find_cue(tx, name)
        if override is not None and merge:
            override = {**cue.payload, **override}
        start = None
        if at is not None:
            from cuectl.schedule.words import parse_moment

            start = parse_moment(at, now_ms=now, zone_name=runtime.zone)
        execution = fire(tx, cue, state, now, runtime.random, at=start, payload=override)
    if wait:
        return _wait_here(call, pass_runtime, execution, timeout, follow=follow)
    due_at = execution.due_at or now
    when = "queued; starts on the next pass" if due_at <= now else call.out.when(due_at, now)
    call.out.record(_public(call, execution), [f"{execution.id}  {cue.name}  {when}"])
    return None


def _as_scheduled(call: Call) -> Runtime:
    from cuectl.process.runtime import scheduler_environment
    from cuectl.values.records import replace

    given = scheduler_environment(call.runtime)
    if given is None:
        hint = "let one run first: cuectl scheduler install; or, in a clean shell: env -i cuectl"
        raise NotFound("no pass of a scheduler has recorded its environment yet", hint=hint)
    for name in sorted(given):
        call.out.detail(f"{name}={given[name]}")
    return replace(call.runtime, environment=given)


def _public(call: Call, execution: Execution) -> dict[str, object]:
    from cuectl.executions.lookup import public

    return call.shown(public(call.reader(), execution.to_record()))


def _check_wait(wait: bool, **given: object) -> None:
    needing = [
        name.replace("_", "-") for name, value in given.items() if value not in (None, False)
    ]
    if needing and not wait:
        limit = "the time limit of a run is its cue's: cuectl update NAME --timeout DUR"
        hint = limit if "timeout" in needing else None
        raise UsageError(f"'--{needing[0]}' goes with '--wait'", hint=hint)


def _wait_here(
    call: Call,
    runtime: Runtime,
    execution: Execution,
    timeout: float | None,
    *,
    follow: bool = False,
) -> int:
    from cuectl.cli.commands.live.follow import FollowedOutput, Telling, left_line
    from cuectl.cli.commands.passes import watching
    from cuectl.executions.lookup import get_execution
    from cuectl.passes.await_end import exit_status, run_until_over
    from cuectl.process.runtime import monotonic_s

    deadline = None if timeout is None else monotonic_s() + timeout
    output = FollowedOutput(call, execution.to_record()) if follow else None
    with nullcontext() if follow else watching(call) as watch:
        limit = _limit(call, execution) if follow else ""
        telling = Telling(call, execution, watch=watch, output=output, limit=limit)
        try:
            done = run_until_over(runtime, execution.id, deadline, telling)
        except KeyboardInterrupt:
            telling.say(left_line(get_execution(runtime, execution.id)))
            return ExitStatus.INTERRUPTED
    if output is None:
        _show_end(call, done)
    else:
        output.end(done.to_record())
    return exit_status(done)


def _limit(call: Call, execution: Execution) -> str:
    from cuectl.definitions.in_force import definitions_now
    from cuectl.executions.targets import limit_s
    from cuectl.values.times import NO_LIMIT, span_in_words

    limit = limit_s(execution, definitions_now(call.reader(), call.runtime.home))
    return "" if limit == NO_LIMIT else f", limit {span_in_words(limit)}"


def _show_end(call: Call, done: Execution) -> None:
    from cuectl.cli.commands.live.follow import end_line

    call.out.record(_public(call, done), [f"{end_line(done.to_record())}  ({done.id})"])


@command(
    "wait",
    _EXECUTIONS,
    Option("--timeout DUR", "Wait at most this long, then exit with 124", duration),
    exits={
        3: "one failed, was interrupted, missed or skipped",
        4: "one ran, but is not verified",
        124: "one timed out, or did not finish in time",
        130: "one was cancelled",
    },
    see="fire, executions get",
)
def wait(call: Call, *, execution: tuple[str, ...], timeout: float | None) -> int | None:
    """Wait for executions to finish.

    Waits, and exits with their result: 0 succeeded, and verified if asked for, 3 failed,
    interrupted, missed or skipped, 4 ran but was not verified, 124 timed out, 130 cancelled; with
    several executions, the highest. It runs nothing itself; something must call run-due.
    """
    from cuectl.passes.await_end import Waiter, exit_status
    from cuectl.process.runtime import monotonic_s

    waiter = Waiter(call.runtime, None if timeout is None else monotonic_s() + timeout)
    ended = [waiter.until_over(one) for one in execution]
    if len(ended) > 1 and call.settings.json:
        call.out.records([_public(call, one) for one in ended], [])
    else:
        for one in ended:
            _show_end(call, one)
    return max(exit_status(one) for one in ended)


@command("cancel", _EXECUTIONS, REASON, exits={6: "it has already finished"}, see="executions list")
def cancel(call: Call, *, execution: tuple[str, ...], reason: str | None) -> None:
    """Cancel executions.

    Stops a running execution (SIGTERM to its whole process tree, SIGKILL after ten seconds); the
    pass that supervises it records it as cancelled. A pending or queued one, or one that waits for
    a retry or a report, is cancelled at once.
    """
    from cuectl.executions.cancel import cancel_one

    for one in execution:
        call.out.say(cancel_one(call.runtime, one, reason or "by hand"))
    if call.out.json:
        from cuectl.executions.lookup import get_execution

        after = (get_execution(call.runtime, one) for one in execution)
        call.out.records([_public(call, one) for one in after], ())


@command(
    "retry",
    _EXECUTION,
    Option("--wait", "Run it here and wait until it finishes, as fire does"),
    _TIMEOUT,
    exits={**_FAILED, 6: "it has not finished, or never had anything to run", **_CUT_SHORT},
    see="fire, executions list",
)
def retry(call: Call, *, execution: str, wait: bool, timeout: float | None) -> int | None:
    """Run a settled execution again.

    Makes a new execution with the target, policy and payload of the old one, at the same place in
    the chain. The old record does not change; the new one names it as retry_of. If the cue was
    deleted, nothing starts: the new execution is skipped (deleted).
    """
    from cuectl.cues.fire import run_again
    from cuectl.executions.lookup import get_execution

    _check_wait(wait, timeout=timeout)
    runtime = call.runtime
    old = get_execution(runtime, execution)
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        fresh = run_again(tx, old, now, runtime.random)
    if wait:
        return _wait_here(call, call.runtime, fresh, timeout)
    what = "skipped: its cue was deleted" if fresh.is_settled else "queued; starts on the next pass"
    line = f"{fresh.id}  {fresh.cue_name}  {what}"
    call.out.record(_public(call, fresh), [line])
    return None


@command(
    "verify",
    _EXECUTION,
    Option("--reject", "Reject the outcome"),
    REASON,
    Option("--recheck", "Only check whether its artifacts are unchanged"),
    exits={
        4: "with --recheck: a file has changed or is gone",
        6: "it has not finished, failed, or never ran; with --recheck: it has no local files",
    },
    see="report, executions get",
)
def verify(
    call: Call, *, execution: str, reject: bool, reason: str | None, recheck: bool
) -> int | None:
    """Accept or reject the outcome of an execution.

    Gives the verdict that the verification mode manual waits for, or overrules another mode;
    earlier verdicts stay on record. Children that wait for the verdict are released or skipped. You
    can't accept a failed execution; retry it instead.

    With --recheck it gives no verdict, but compares the size and SHA-256 of each local artifact
    with those on record.
    """
    from cuectl.executions.verify import recheck_files, verify_one

    if recheck:
        if reject or reason is not None:
            raise UsageError("'--recheck' gives no verdict, so it goes without one")
        done, files = recheck_files(call.runtime, execution)
        lines = [f"{one['state']:8} {one['path']}" for one in files]
        call.out.record({**_public(call, done), "rechecked": files}, lines)
        return 0 if all(one["state"] == "same" for one in files) else 4
    judged = verify_one(call.runtime, execution, accept=not reject, reason=reason)
    line = f"{judged.id}  {judged.cue_name}  {judged.outcome_state}"
    call.out.record(_public(call, judged), [line])
    return None


@command(
    "report",
    Option("--success", "The work succeeded (exit status 0 is needed as well)"),
    Option("--failure", "The work failed, whatever the exit status"),
    Option("--external-id ID", "The id of the result in another system"),
    Option("--result-url URL", "The address of the result"),
    Option("--result-ref REF", "A commit, a version, a key"),
    Option("--result-type TYPE", "The type of the result, for filters"),
    Option("--summary TEXT", "One line for people"),
    Option("--result TEXT", "The result itself, if it is short"),
    Option("--error TEXT", "What went wrong"),
    Option(
        "--artifact PATH", "A file or URL that it made; may be repeated", many=True, complete="file"
    ),
    Option(
        "--metadata KEY=VALUE",
        "Other facts; VALUE can be JSON; may be repeated",
        key_value,
        many=True,
    ),
    Option("--retry-in DUR", "Ask for a retry after this time", duration),
    Option("--execution ID", "Report on this execution from outside its handler"),
    see="chain, verify, cuectl-handlers(7)",
)
def report(
    call: Call,
    *,
    success: bool,
    failure: bool,
    artifact: tuple[str, ...],
    metadata: tuple[tuple[str, str], ...],
    retry_in: float | None,
    execution: str | None,
    **texts: str | None,
) -> None:
    """Report the outcome and its evidence.

    Called inside a handler: writes the outcome file that CUE_OUTCOME_FILE names, so that no handler
    needs a JSON library, and commits it. Several reports of one attempt add up: artifacts are
    appended, keys of metadata added. Of everything else the first word counts; a later, different
    one is kept beside it, with a warning.

    With --execution it reports from outside on an execution that still runs or waits for its report
    (see --outcome-deadline of create).
    """
    from cuectl.executions.reports import HandlerReport, report_from_handler, report_late

    if success and failure:
        raise UsageError("'--success' and '--failure' exclude each other")
    fields: dict[str, object] = {
        **texts,
        "artifacts": [_absolute(one) for one in artifact] or None,
        "metadata": {name: _value(text) for name, text in metadata} or None,
        "retry_in_s": retry_in,
    }
    if success and retry_in is not None:
        raise UsageError("'--success' and '--retry-in' exclude each other")
    said = True if success else False if failure or retry_in is not None else None
    if said is None and all(value is None for value in fields.values()):
        hint = "say how it went: cuectl report --success --external-id ID"
        raise UsageError("nothing to report", hint=hint)
    report = HandlerReport(success=said, fields=fields)
    if execution is None:
        path, otherwise = report_from_handler(call.runtime, report)
        call.out.detail(f"wrote '{path}'")
    else:
        path, otherwise = None, report_late(call.runtime, execution, report)
    if otherwise:
        names = "', '".join(otherwise)
        call.out.warn(f"'{names}' was reported before; the first report counts, this one is kept")
    if call.out.json:
        identity = execution or call.environment.get("CUE_EXECUTION_ID") or None
        call.out.record({"execution_id": identity, "path": path, "otherwise": otherwise})


def _absolute(name: str) -> str:
    import os

    return name if "://" in name else os.path.abspath(name)


def _value(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
