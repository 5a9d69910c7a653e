"""`cuectl workflow log`: what a run has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]

_LONGEST = 200


def run(call: Call, *, run: str) -> int | None:
    """Print its log, the oldest line first."""
    from cuectl.engine.workflows.runs import find_run
    from cuectl.store.reading import open_reader
    from cuectl.store.run_history import read_history

    found = find_run(open_reader(call.runtime.existing_store), run)
    for record in read_history(call.runtime.home, found.id):
        item = {"type": record.get("type"), "time": record.get("at"), **record}
        item.pop("at", None)
        text = _text(record)
        if call.out.json:
            call.out.item(item, text)
        elif call.out.plain:
            call.out.item({**item, "text": text}, text, ("time", "type", "text"))
        else:
            for line in f"{str(record.get('at'))[:19]}Z  {text}".splitlines():
                call.out.line(line)
    return None


def _text(record: Record) -> str:
    from cuectl.model.workflow_history import shown_call

    match record.get("type"):
        case "log":
            return str(record["message"])
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
        case "run.started":
            again = f", resumed {record['resumes']}" if "resumes" in record else ""
            return f"started {record['workflow']} {record['kwargs']}{again}"
        case kind:
            rest = {k: v for k, v in record.items() if k not in ("type", "at")}
            return f"{kind} {rest}"


def _short(result: Record) -> str:
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


command = Command(
    name="workflow log",
    summary="Show what a run of a workflow has done",
    description="""
        Prints the run's log: each call of the engine when it began and what came of it, what
        the procedure has logged, and how it ended, with the traceback of a crash. With --json,
        the lines of the log file as they are.
    """,
    arguments=(Argument(name="RUN", help="Id of a run, or its beginning; last", complete="run"),),
    see_also=("cuectl-workflow-runs(1)",),
    run=run,
)
