"""Runs of workflows and sessions of agents: list, look, answer, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import LIMIT, REASON, RUN_ID
from cuectl.cli.commands.reading import id_column, time_column
from cuectl.cli.frame.declare import Argument, Option, command, whole_number
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import Conflict

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call
    from cuectl.values.records import Record

_SIGNS = {"running": "▸", "waiting": "◌", "succeeded": "✓", "cancelled": "·"}
_PLAIN = "id workflow status created_at duration_s result".split()
STATUSES = tuple("running waiting succeeded failed crashed timed_out cancelled interrupted".split())

_LONGEST = 200


@command(
    "workflow runs",
    Argument("[WORKFLOW]", "Only its runs", complete="workflow"),
    Option("--status STATUS", "Only these", choices=STATUSES, many=True),
    LIMIT,
    see="workflow show, workflow log",
    table=True,
)
def list_runs(call: Call, *, workflow: str | None, status: tuple[str, ...], limit: int) -> None:
    """List the runs of workflows.

    Prints the runs with the newest first: id, state, result, error, or the question that is waited
    for. A run whose process is gone reads lost until the next pass has seen it.
    """
    from cuectl.cli.commands.execution_list import took
    from cuectl.workflows.rules.accounts import dollars
    from cuectl.workflows.runs import public, read_run, run_ids

    reader = call.reader()
    found: list[dict[str, Any]] = []
    for each in reversed(run_ids(reader)):
        one = read_run(reader, each)
        if one is None or (workflow and one.workflow != workflow):
            continue
        if status and one.status.value not in status:
            continue
        found.append(call.shown(public(call.runtime.home, one)))
        if limit and len(found) >= limit:
            break

    def state(record: Any) -> str:
        return "lost" if record["lost"] else str(record["status"])

    def cost(record: Any) -> str:
        more = "+?" if record["cost_unknown"] else ""
        return f"{dollars(record['cost_usd'])}{more}" if record["turns"] else ""

    def note(record: Any) -> str:
        asked = next((w["question"] for w in record["waits"] if "question" in w), None)
        said = asked or record["error"] or record["result"]
        text = "" if said is None else str(said).partition("\n")[0]
        counts = [(record[f"turns_{how}"], how) for how in ("failed", "interrupted")]
        bad = ", ".join(f"{count} {how}" for count, how in counts if count)
        return f"{text} (of {record['turns']} turns {bad})".strip() if bad else text

    columns = (
        Column("workflow", show=lambda r: f"{_SIGNS.get(state(r), '✗')} {r['workflow']}"),
        Column("status", show=state, priority=1),
        time_column(call, "created_at", "STARTED", priority=3),
        Column("duration_s", "TOOK", right=True, show=took, priority=4),
        Column("cost_usd", "COST", right=True, show=cost, priority=5),
        Column("result", "NOTE", show=note, flexible=True),
        id_column(call, title="RUN", priority=2),
    )
    empty = "no runs yet; start one: cuectl workflow run NAME"
    call.out.records(found, columns, empty=empty, plain=_PLAIN)


@command("workflow log", RUN_ID, see="workflow runs")
def show_log(call: Call, *, run: str) -> None:
    """Show what a run of a workflow has done.

    Prints the run's log: each call of the engine when it began and what came of it, what the
    procedure has logged, and how it ended, with the traceback of a crash. With --json, the lines of
    the log file as they are.
    """
    from cuectl.store.workflow_files import history_path, read_lines
    from cuectl.workflows.runs import find_run

    found = find_run(call.reader(), run)
    for record in read_lines(history_path(call.runtime.home, found.id)):
        item = {"type": record.get("type"), "time": record.get("at"), **record}
        item.pop("at", None)
        text = _text(record)
        if call.out.json:
            call.out.item(item, text)
        elif call.out.plain:
            call.out.item({**item, "text": text}, text, ("time", "type", "text"))
        elif text:
            for line in f"{str(record.get('at'))[:19]}Z  {text}".splitlines():
                call.out.line(line)


def _text(record: Record) -> str:
    from cuectl.workflows.rules.history import shown_call, shown_command

    match record.get("type"):
        case "log" | "print" | "warning":
            return str(record["message"])
        case "timer" | "cancel" | "stop" | "patch":
            return shown_command(record)
        case "call":
            shown = shown_call(record["name"], record["arguments"])
            result = f" = {_short(record['result'])}" if "result" in record else ""
            return f"{record['step']:>3} {shown}{result}"
        case "call.ended":
            return f"{record['step']:>3} {record['name']} -> {_short(record['result'])}"
        case "run.ended":
            said = record.get("error") or record.get("result")
            trace = f"\n{record['traceback']}" if "traceback" in record else ""
            return f"{record['status']}: {said}{trace}"
        case "rewound":
            again = " ".join(map(str, record["dropped"])) or "none"
            return f"went back to before line {record['before']}, calls done again: {again}"
        case "run.held":
            return "\n".join(["it can't continue", *record["told"]])
        case "step.tried":
            return f"{record['of']:>3} try {record['try']} -> error: {record['error']}"
        case "step.result" | "begun":
            return ""
        case "run.started":
            again = f", resumed {record['resumes']}" if "resumes" in record else ""
            return f"started {record['workflow']} {record['kwargs']}{again}"
        case kind:
            rest = {k: v for k, v in record.items() if k not in ("type", "at", "line")}
            return f"{kind} {rest}"


def _short(result: Record) -> str:
    if "cancelled" in result:
        return "cancelled"
    if "error" in result:
        return f"error: {result['error']}"
    value = result.get("value")
    if isinstance(value, dict) and "exit" in value:
        text = f"exit {value['exit']}: {value['stdout'] or value['stderr']}"
    elif isinstance(value, dict) and "body" in value:
        text = f"{value['status']}: {value['body']}"
    else:
        text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@command(
    "workflow answer",
    RUN_ID,
    Argument("TEXT", "The answer"),
    Option("--step N", "The question, if the run asks several", whole_number(1)),
    exits={6: "the run asks nothing"},
    see="workflow runs, workflow resume",
)
def answer(call: Call, *, run: str, text: str, step: int | None) -> None:
    """Answer the question of a run.

    Gives a run that is parked the answer that its procedure has asked for. The next pass
    continues the run; workflow resume does it at once, and a run that waits in place sees the
    answer by itself.
    """
    from cuectl.workflows.runs import answer_run, is_alive, public

    found = answer_run(call.runtime, run, text, step)
    call.out.record(public(call.runtime.home, found), [])
    call.out.say(f"answered '{found.id}'")
    if not is_alive(call.runtime.home, found):
        call.out.tell(f"it continues on the next pass; or: cuectl workflow resume {found.id}")


@command("workflow cancel", RUN_ID, REASON, exits={6: "the run has finished"}, see="workflow runs")
def end_run(call: Call, *, run: str, reason: str | None) -> None:
    """End a run of a workflow.

    A run that is at work is asked to end: its procedure may clean up for ten seconds, its turns and
    commands are ended with all that they have started. A run that is parked, or whose process was
    lost, is ended at once.
    """
    from cuectl.workflows.pending_work import cancel_run
    from cuectl.workflows.runs import public

    found = cancel_run(call.runtime, run, reason or "by hand")
    call.out.record(public(call.runtime.home, found), [])
    call.out.say(f"cancelled '{found.id}'")


@command(
    "sessions list",
    Option("--all", "Closed ones too"),
    see="sessions show, workflow runs",
    table=True,
)
def show_sessions(call: Call, *, all: bool) -> None:
    """List the sessions of agents.

    Prints the sessions that workflows have opened: whose they are, whether a turn runs, how many
    turns they have had. A session has no process between its turns.
    """
    from cuectl.workflows.sessions import list_sessions, public

    found = list_sessions(call.reader())
    records = [public(call.runtime.home, one) for one in found if all or not one.closed]
    columns = (
        Column("handle", "SESSION"),
        Column("agent"),
        Column("state"),
        Column("turns", right=True),
        time_column(call, "last_at", "LAST"),
        Column("run"),
    )
    call.out.records(records, columns, empty="no open sessions; --all shows closed ones too")


@command(
    "sessions show",
    Argument("HANDLE", "Handle of a session", complete="session"),
    see="sessions list",
)
def show_session(call: Call, *, handle: str) -> None:
    """Show one session and what was said in it.

    Prints the session, then each prompt and each answer, the oldest first, and the messages that
    wait for its next turn.
    """
    from cuectl.store.workflow_files import read_transcript
    from cuectl.workflows.sessions import find_session, public, waiting_for

    home = call.runtime.home
    session = find_session(call.reader(), handle)
    said = read_transcript(home, session.handle)
    record = public(home, session) | {"inbox": waiting_for(home, session.handle)}
    lines = [f"{key + ':':<14} {value}" for key, value in record.items() if value not in (None, [])]
    for each in said:
        lines += ["", f"{each['role']}  {each['at'][:19]}Z  {each.get('status', '')}".rstrip()]
        lines += [f"  {line}" for line in str(each["text"]).splitlines()]
    call.out.record(record | {"messages": said}, lines)


@command(
    "sessions close",
    Argument("HANDLE...", "Handle of a session", complete="session"),
    exits={6: "it is closed, or a turn runs"},
    see="sessions list",
)
def close_sessions(call: Call, *, handle: tuple[str, ...]) -> None:
    """Close sessions of agents.

    A closed session takes no more messages; what was said in it stays. One in which a turn runs is
    refused.
    """
    from cuectl.store.workflow_files import is_working
    from cuectl.workflows.sessions import close_session, find_session, public

    store = call.runtime.store
    with store.locked():
        found = [find_session(store, each) for each in handle]
    for session in found:
        if is_working(call.runtime.home, session.handle):
            hint = f"end its run: cuectl workflow cancel {session.run}"
            raise Conflict(f"a turn of the session '{session.handle}' runs", hint=hint)
        if not close_session(call.runtime, session.handle):
            raise Conflict(f"the session '{session.handle}' is closed")
        call.out.say(f"closed '{session.handle}'")
    if call.out.json:
        with store.locked():
            after = [find_session(store, each) for each in handle]
        call.out.records([public(call.runtime.home, one) for one in after], ())
