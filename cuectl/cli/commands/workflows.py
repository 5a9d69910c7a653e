"""Workflows: list, show, check and run them, and resume a run."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import CONFIG, MODULE, RUN_ID, confirm, warn_of_definitions
from cuectl.cli.frame.declare import Argument, Option, command, duration
from cuectl.cli.frame.terminal import Column, fitted
from cuectl.values.errors import Conflict, ExitStatus, NotFound, UsageError
from cuectl.values.safe_text import visible
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from cuectl.cli.frame.output import Output
    from cuectl.cli.frame.run import Call
    from cuectl.values.records import Record
    from cuectl.workflows.again.going_back import WayBack
    from cuectl.workflows.catalogue import Catalogue, Workflow
    from cuectl.workflows.rules.records import WorkflowRun
    from cuectl.workflows.rules.signature import WorkflowParameter

_WIDTH = 24


def _dollars(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < 1e9:
        raise UsageError(f"'{text}' is no sum of dollars", hint="write for example 2.50")
    return amount


BUDGET = Option("--budget-usd USD", "Start no turn once the run has cost this", _dollars)


def load(call: Call, modules: tuple[str, ...], config: str | None) -> Catalogue:
    """Load the workflows; those that can't be loaded are warned of."""
    from cuectl.workflows.catalogue import catalogue

    found = catalogue(call.runtime, modules, config)
    warn_of_definitions(call)
    for broken in found.broken:
        call.out.warn(broken.message, hint="see: cuectl workflow check")
    return found


@command("workflow list", MODULE, CONFIG, see="workflow run, cuectl-workflows(7)", table=True)
def list_workflows(call: Call, *, module: tuple[str, ...], config: str | None) -> None:
    """List the workflows.

    Loads the modules that the definitions in force name under workflows, and prints what they
    register. A module that can't be loaded is warned of and hides no other.
    """
    known = load(call, module, config)
    columns = (
        Column("name", "WORKFLOW"),
        Column("summary"),
        Column("path", "FILE", show=lambda r: f"{r['path']}:{r['line']}"),
    )
    empty = "no workflows; name modules under 'workflows' in ~/.cue/cue.yaml, or by --module"
    records = [_record_of(each) for each in known.workflows.values()]
    call.out.records(records, columns, empty=empty)


@command(
    "workflow show",
    Argument("NAME", "Name of a workflow, or id of a run"),
    MODULE,
    CONFIG,
    see="workflow list, workflow runs",
)
def show(call: Call, *, name: str, module: tuple[str, ...], config: str | None) -> None:
    """Show one workflow, or one run.

    Of a workflow: how it is called, its docstring, its arguments with their types, where it is
    defined. Of a run: its state, arguments, result or error, and what it waits for.
    """
    from cuectl.workflows.rules.records import RUN_PREFIX
    from cuectl.workflows.runs import read_run

    if name.startswith(RUN_PREFIX) or read_run(call.reader(), RUN_PREFIX + name) is not None:
        _show_run(call, name)
        return
    try:
        workflow = load(call, module, config).workflow(name)
    except NotFound as unknown:
        try:
            _show_run(call, name)
        except NotFound:
            raise unknown from None
        return
    call.out.record(_record_of(workflow), help_of(workflow).splitlines())


def _show_run(call: Call, text: str) -> None:
    from cuectl.workflows.runs import find_run, progress_text, public

    run = find_run(call.reader(), text)
    record = call.shown(public(call.runtime.home, run))
    lines = []
    for key, value in record.items():
        if key == "progress" and value is not None:
            lines.append(f"{key + ':':<14} {progress_text(value)}")
        elif value not in (None, [], {}, False):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{key + ':':<14} {shown}")
    call.out.record(record, lines)


@command(
    "workflow check",
    MODULE,
    CONFIG,
    Option("--traceback", "Print full tracebacks of errors"),
    Option("--runs", "Also check that all unfinished runs fit the current code"),
    exits={7: "a module is broken, or does not fit a run"},
    see="workflow list, workflow replay, cuectl-procedures(7)",
    table=True,
)
def check(
    call: Call, *, module: tuple[str, ...], config: str | None, traceback: bool, runs: bool
) -> int | None:
    """Check the modules with workflows.

    Loads every module and says what it registers, or why it can't be loaded: an error in it, a name
    that two places register, a procedure that is not async def or does not begin with the parameter
    engine. With --runs, unfinished runs are replayed against the code, without doing anything.
    """
    from cuectl.workflows.catalogue import catalogue

    found = catalogue(call.runtime, module, config)
    warn_of_definitions(call)
    names: dict[str, list[str]] = {}
    for each in found.workflows.values():
        names.setdefault(each.path, []).append(each.name)
    wrong = {one.path: one for one in found.broken}
    files = [*dict.fromkeys([*found.files, *names, *wrong])]
    records = [
        {
            "path": path,
            "ok": path not in wrong,
            "workflows": names.get(path, []),
            "problem": wrong[path].message if path in wrong else None,
            "traceback": wrong[path].detail or None if path in wrong else None,
        }
        for path in files
    ]
    if runs:
        records += _checked_runs(call)
    columns = (
        Column("path", "FILE"),
        Column("ok", show=lambda r: "ok" if r["ok"] else "BROKEN"),
        Column("workflows", show=lambda r: r["problem"] or ", ".join(r["workflows"])),
    )
    empty = "no modules; name them under 'workflows' in ~/.cue/cue.yaml, or by --module"
    call.out.records(records, columns, empty=empty)
    if traceback and call.out.for_people:
        for broken in found.broken:
            call.out.line("")
            call.out.document(f"{broken.detail or broken.message}\n")
    return None if all(record["ok"] for record in records) else ExitStatus.INVALID


def _checked_runs(call: Call) -> list[Record]:
    """Replay the unfinished runs, each with the procedure that it would be resumed with."""
    from cuectl.workflows.again.replaying import check_runs

    return [
        {
            "path": record["history"], "ok": record["fits"], "workflows": [record["workflow"]],
            "problem": " · ".join(record["mismatch"]) or None, "traceback": None,
        }
        for record in check_runs(call.runtime)
    ]  # fmt: skip


def _word(parameter: WorkflowParameter) -> str:
    word = parameter.option if parameter.is_flag else f"{parameter.option}=VALUE"
    return word if parameter.required else f"[{word}]"


def help_of(workflow: Workflow) -> str:
    """Return the help of a workflow."""
    parameters = workflow.signature.parameters
    words = ["Usage: cuectl workflow run", workflow.name, *map(_word, parameters)]
    words += ["[--KEY=VALUE...]"] if workflow.signature.open else []
    lines = [" ".join(words), "", workflow.doc or "It has no docstring.", ""]
    if parameters:
        lines += ["Arguments:", *map(_row, parameters), ""]
    return "\n".join([*lines, f"Defined at {workflow.place}"])


def _row(parameter: WorkflowParameter) -> str:
    what = parameter.type_name
    if parameter.required:
        what += " [needed]"
    elif parameter.default is not None:
        what += f" [default: {parameter.default}]"
    if len(parameter.option) >= _WIDTH - 1:
        return f"  {parameter.option}\n{' ' * (_WIDTH + 2)}{what}"
    return f"  {parameter.option:<{_WIDTH}}{what}"


def _record_of(workflow: Workflow) -> Record:
    from cuectl.workflows.rules.signature import plain

    return {
        "name": workflow.name,
        "summary": workflow.doc.partition("\n")[0],
        "doc": workflow.doc,
        "path": workflow.path,
        "line": workflow.line,
        "durable": workflow.durable,
        "timeout_s": workflow.timeout_s,
        "parameters": [
            {
                "name": each.name,
                "type": each.type_name,
                "required": each.required,
                "default": None if each.required else plain(each.default),
            }
            for each in workflow.signature.parameters
        ],
    }


_STATUS = {"succeeded": 0, "crashed": 1, "failed": 3, "waiting": 4, "running": 4}
_STATUS |= {"timed_out": 124, "cancelled": 130}
EXITS = {
    1: "the procedure crashed, or does not fit the run's history; see the run's log",
    3: "the procedure raised WorkflowError",
    4: "the run waits for an answer, a time, an event or another run",
    124: "the run exceeded its time limit",
    130: "the run was cancelled; 143 when a signal stopped the process",
}


def narrate_run(out: Output, workflow: str, text: str) -> None:
    """Print the lines that a run says, on standard error."""
    for line in text.splitlines() or [""]:
        out.tell(f"[{workflow}] {line}")


def finish(call: Call, run: WorkflowRun, signal: int | None) -> int:
    """Print how a run has ended, and return the exit status."""
    from cuectl.workflows.inside import ABANDONED
    from cuectl.workflows.rules.signature import result_text
    from cuectl.workflows.runs import is_held, public

    held = is_held(run)
    status = 1 if held else _STATUS.get(run.status.value, 3)
    if status == 130 and signal is not None and run.cancel is None:
        status = 128 + signal
    if call.out.json or call.out.plain:
        call.out.record(call.shown(public(call.runtime.home, run)))
    elif run.status.value == "succeeded":
        if (text := result_text(run.result)) is not None:
            # What stands in a result came from agents and is shown, not sent.
            shown = visible(text) if call.out.is_terminal else text
            call.out.document(shown if shown.endswith("\n") else f"{shown}\n")
    elif run.status.value == "waiting" and not held:
        _say_parked(call, run)
    elif run.is_live and not held:
        call.out.tell(f"the run '{run.id}' is running")
    if not call.out.json and (held or not (run.is_live or run.status.value == "succeeded")):
        _say_failed(call, run)
    if ABANDONED:
        # A procedure must not clean up as if it were over, so the process ends here.
        call.out.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _say_failed(call: Call, run: WorkflowRun) -> None:
    what = "unexpected " if run.status.value == "crashed" else ""
    lines = [f"cuectl: error: {what}{run.error or run.status.value}"]
    if run.status.value == "crashed":
        from cuectl.store.workflow_files import history_path, read_lines

        ended = read_lines(history_path(call.runtime.home, run.id))[-1]
        trace = str(ended.get("traceback", "")).splitlines()
        lines += [line for line in trace if line.startswith("  ")]
    if run.status.value == "interrupted":
        again = f"cuectl workflow resume {run.id} --rerun last"
        lines.append(f"hint: check what it has done; to repeat it: {again}")
    lines += [f"  {line}" for wait in run.waits for line in wait.get("told", ())[1:]]
    text = "\n".join([*map(visible, lines), ""])
    sys.stderr.write(fitted(text, call.environment, sys.stderr))


def _say_parked(call: Call, run: WorkflowRun) -> None:
    for wait in run.waits:
        if wait["kind"] == "answer":
            options = f" ({', '.join(wait['options'])})" if wait.get("options") else ""
            call.out.tell(f"parked: {wait['question']}{options}")
            call.out.tell(f"answer it: cuectl workflow answer {run.id} TEXT")
            continue
        what = {"event": f"for an event {wait.get('type')}", "child": f"for {wait.get('run')}"}
        until = f"until {to_text(wait['until'])}" if "until" in wait else ""
        call.out.tell(" ".join(filter(None, ("parked", what.get(wait["kind"]), until))))
    call.out.tell(f"a pass continues it then; or: cuectl workflow resume {run.id}")


@command(
    "workflow run",
    Argument("NAME", "Name of the workflow", complete="workflow"),
    MODULE,
    CONFIG,
    Option("--from HANDLE", "The session that starts it"),
    Option("--run-timeout DUR", "Stop the run after this time", duration),
    BUDGET,
    Option("--kwargs JSON", "All arguments as one JSON object, instead of options"),
    Option("--detach", "Start it in the background, and print the id of the run"),
    Option("--wait", "Wait here for answers and times instead of parking"),
    Option("--id ID", "The id of the run; if it exists, show that run instead of a new one"),
    Option("--one-at-a-time", "Show the unfinished run with the same arguments, if any"),
    argv="Arguments of the workflow",
    rest=True,
    exits={**EXITS, 6: "the id belongs to a run of another workflow or other arguments"},
    see="workflow runs, workflow log, cuectl-workflows(7)",
)
def run_workflow(
    call: Call,
    *,
    name: str,
    argv: tuple[str, ...] | None,
    module: tuple[str, ...],
    config: str | None,
    from_: str | None,
    run_timeout: float | None,
    budget_usd: float | None,
    wait: bool,
    kwargs: str | None,
    detach: bool,
    id: str | None,
    one_at_a_time: bool,
) -> int | None:
    """Run a workflow here and now.

    Calls the procedure and prints its return value. Options after NAME that are not those of cuectl
    are arguments of the workflow, --key=value or --key value; dashes stand for underscores, and
    annotations decide the types. After --, all options are. NAME --help lists them.

    The id of the run and the log of the procedure go to standard error. A run that asks a question,
    or sleeps for more than a minute, is parked: the command exits with status 4, and a pass
    continues the run later.
    """
    from cuectl.workflows.beginnings import begin_run, new_run
    from cuectl.workflows.rules.signature import values_of_words
    from cuectl.workflows.runs import public, until_over
    from cuectl.workflows.start import start, start_apart

    known = load(call, module, config)
    workflow = known.workflow(name)
    words = argv or ()
    if "--help" in words or "-h" in words:
        call.out.document(help_of(workflow) + "\n")
        return None
    if kwargs is None:
        values = values_of_words(workflow.signature, words, workflow.name)
    else:
        values = _from_json(workflow, kwargs, words)
    fresh = new_run(
        call.runtime, workflow, values, config=config, caller=from_, timeout_s=run_timeout,
        budget_usd=budget_usd, run_id=id,
    )  # fmt: skip
    record, is_new = begin_run(call.runtime, fresh, alone=one_at_a_time)
    if detach:
        if is_new:
            start_apart(call.runtime, record)
        call.out.record(public(call.runtime.home, record), [record.id])
        return None
    call.out.tell(f"run {record.id}")
    if not is_new:
        return finish(call, until_over(call.runtime, record) if wait else record, None)
    narrate = partial(narrate_run, call.out, workflow.name)
    ended, signal = start(call.runtime, known, workflow, record, narrate=narrate, stay=wait)
    return finish(call, ended, signal)


def _from_json(workflow: Workflow, text: str, words: tuple[str, ...]) -> dict[str, Any]:
    from cuectl.workflows.rules.signature import values_of_record

    if words:
        raise UsageError(f"'{words[0]}' does not go with '--kwargs'")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise UsageError(f"option '--kwargs': not JSON: {error}") from None
    if not isinstance(given, dict):
        raise UsageError("option '--kwargs': not a JSON object")
    return values_of_record(workflow.signature, given, workflow.name)


def key_and_value(text: str) -> tuple[str, str]:
    """Return both sides of KEY=VALUE, or raise UsageError."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"'{text}' is not KEY=VALUE")
    return key, value


def json_given(text: str) -> tuple[str, Any]:
    """Return STEP and the value of STEP=JSON, or raise UsageError."""
    step, value = key_and_value(text)
    try:
        return step, json.loads(value)
    except ValueError:
        raise UsageError(f"'{value}' is not JSON", hint=f"a text: '{step}=\"TEXT\"'") from None


def tell_way(call: Call, way: WayBack, *, yes: bool) -> None:
    """List what will be done again, and ask where it costs something."""
    for line in way.told:
        call.out.tell(line)
    if way.costs:
        confirm(call, "run these turns, commands and steps again?", yes=yes)


def take_back(
    call: Call, run: str, rerun: str | None, given: Record, *, force: bool, yes: bool, wait: bool
) -> None:
    """Let a run go back, after the run that it waits for, where that is what is done again."""
    from cuectl.workflows.again.going_back import go_back, way_back
    from cuectl.workflows.start import resume

    by = call.environment.get("USER") or str(os.geteuid())
    way = way_back(call.runtime, run, rerun, given, by, force=force)
    tell_way(call, way, yes=yes)
    if way.child is not None:
        with suppress(Conflict, NotFound):
            take_back(call, way.child, "last", {}, force=False, yes=yes, wait=wait)
        narrate = partial(narrate_run, call.out)
        resume(call.runtime, way.child, narrate=narrate, stay=wait, taken_back=True)
    go_back(call.runtime, way)


@command(
    "workflow resume",
    RUN_ID,
    Option("--rerun STEP", "Repeat this call: its number, the name of its step, or last"),
    Option("--set STEP=JSON", "Continue as if this call had this value", json_given, many=True),
    Option("--force", "Repeat a successful call too"),
    Option("--yes", "Do not ask"),
    BUDGET,
    Option("--wait", "Wait here for answers and times"),
    exits={**EXITS, 6: "the run is running, or has succeeded", 8: "it needs confirmation"},
    see="workflow fork, workflow run, workflow runs, cuectl-procedures(7)",
)
def resume_run(
    call: Call, *, run: str, rerun: str | None, set: tuple[tuple[str, Any], ...], force: bool,
    yes: bool, budget_usd: float | None, wait: bool,
) -> int | None:  # fmt: skip
    """Continue a run that is parked, was lost, or has failed.

    Calls the procedure again with the same arguments and answers the calls that it has finished
    from the run's history, so that no turn and no command runs twice. What was running when the
    process was lost is waited for where it still runs, and reported as interrupted where its end
    was not seen. With --rerun or --set, the run goes back to just before the end of a call.
    """
    from cuectl.workflows.start import resume

    if rerun is not None or set:
        take_back(call, run, rerun, dict(set), force=force, yes=yes, wait=wait)
    narrate = partial(narrate_run, call.out)
    back = rerun is not None or bool(set)
    ended, signal = resume(
        call.runtime, run, narrate=narrate, stay=wait, taken_back=back, budget_usd=budget_usd
    )
    return finish(call, ended, signal)
