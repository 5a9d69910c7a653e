"""`cuectl executions get` and `cuectl chain show`: one execution, or its whole chain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.execution_list import took
from cuectl.cli.commands.input import EXECUTION_ID
from cuectl.cli.commands.reading import reader_of, verdict_style, warn
from cuectl.cli.frame.declare import command
from cuectl.cli.frame.terminal import Column
from cuectl.executions.rules.verdict import VerdictWord
from cuectl.values.safe_text import one_line
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.output import Line, Part
    from cuectl.cli.frame.run import Call
    from cuectl.installation.pipelines import ChainNode
    from cuectl.values.records import Record

EVIDENCE = ("external_id", "result_url", "result_ref", "result_type", "artifacts", "metadata")
_ARMS = ("├─ ", "│  ", "└─ ", "   ")


@command("executions get", EXECUTION_ID, see="executions list, executions output, verify")
def get_execution(call: Call, *, id: str) -> None:
    """Show one execution: its attempts, outcome and evidence.

    Prints when an execution was due, started and ended, its result and verdict, its evidence, and
    where its output is.
    """
    from cuectl.cli.commands.execution_list import question_in
    from cuectl.executions.lookup import find_record, live_record, public

    reader = reader_of(call)
    record = live_record(reader, find_record(reader, id), call.runtime.now())
    view = call.shown(public(reader, record) | question_in(reader, record))
    warn(call, reader)
    call.out.record(view, _lines_of(call, view))


def verdict_part(record: Record) -> Part:
    """Return the verdict in words, in its colour."""
    return (VerdictWord(record["verdict"]).words, verdict_style(record))


def _lines_of(call: Call, view: Record) -> Iterator[Line]:
    now = call.runtime.now()
    symbol = (VerdictWord(view["verdict"]).symbol, verdict_style(view))
    yield [symbol, " ", (view["cue_name"], "bold"), "  ", verdict_part(view), f"  {view['id']}"]
    for name, value in _facts(call, view, now):
        first, *more = value.splitlines() or [""]
        yield f"{name + ':':<14}{'' if more else first}".rstrip()
        if more:
            yield from (f"  {line}" for line in (first, *more))
    if len(view["attempts"]) > 1:
        yield ""
        yield from _attempts(call, view, now)


def _facts(call: Call, view: Record, now: int) -> Iterator[tuple[str, str]]:
    if view["why"]:
        yield "why", view["why"]
    for name in ("reason", "error", "summary", "result"):
        if view[name] and view[name] != view["why"]:
            yield name, view[name].rstrip("\n")
    yield from _where(view)
    yield from _times(call, view, now)
    if view["signal"] is not None:
        yield "signal", str(view["signal"])
    elif view["exit_code"] is not None:
        yield "exit", str(view["exit_code"])
    yield "attempt", str(view["attempt"])
    yield "triggered by", view["triggered_by"]
    if view["parent_id"]:
        yield "parent", f"{view['parent_id']} (depth {view['depth']}, root {view['root_id']})"
    if view["range"]:
        span = view["range"]
        yield "stands for", f"{span['count']} occurrences, {span['from']} to {span['to']}"
    for name in EVIDENCE:
        if view[name]:
            items = view[name] if isinstance(view[name], list) else [view[name]]
            yield name.replace("_", " "), "\n".join(map(_plain, items))
    yield from _doubts(view)
    if view["payload"]:
        yield "payload", _plain(view["payload"])
    if view["output_path"]:
        yield "output", view["output_path"]


def _times(call: Call, view: Record, now: int) -> Iterator[tuple[str, str]]:
    yield "scheduled", _time(call, view["scheduled_for"], now)
    if view["started_at"]:
        yield "started", _time(call, view["started_at"], now)
    if view["ended_at"]:
        words = f", took {took(view)}" if took(view) else ""
        yield "ended", _time(call, view["ended_at"], now) + words
    names = {"due_at": "due at", "report_until": "report until"}
    if view["executor"]:
        # There it is when passes act, not when somebody may report.
        names["report_until"] = "withdrawn at"
        if view["status"] != "queued":
            del names["report_until"]
    for name, words in names.items():
        if view[name] and not view["ended_at"]:
            yield words, _time(call, view[name], now)


def _where(view: Record) -> Iterator[tuple[str, str]]:
    if view["executor"]:
        host = f" on {view['worker']}" if view["worker"] else ""
        yield "executor", f"{view['executor']}{host}"


def _doubts(view: Record) -> Iterator[tuple[str, str]]:
    if view["outcome_problem"]:
        yield "outcome", view["outcome_problem"]
    for dropped in view["outcome_dropped"]:
        yield "not taken", dropped
    if view["verified_by"]:
        why = f": {view['verify_reason']}" if view["verify_reason"] else ""
        yield "judged by", f"{view['verified_by']}{why}"


def _attempts(call: Call, view: Record, now: int) -> Iterator[Line]:
    for one in view["attempts"]:
        when = _time(call, one["started_at"], now) if one["started_at"] else "never started"
        line: list[Any] = [f"attempt {one['attempt']}  {when}  "]
        line.append(verdict_part(one))
        words = [took(one), one["why"] or ""]
        yield [*line, *(f"  {word}" for word in words if word)]


def _time(call: Call, text: str, now: int) -> str:
    return call.out.time(from_text(text), now, seconds=True)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@command("chain show", EXECUTION_ID, see="chain, executions list")
def show_chain(call: Call, *, id: str) -> None:
    """Draw the chain that an execution belongs to.

    Prints the executions of a chain as a tree, with result, time and evidence, and the chained cues
    that have not run yet. Name any execution of the chain.
    """
    from cuectl.installation.pipelines import chain_of

    reader = reader_of(call)
    root = chain_of(reader, id, call.runtime.now(), call.shown)
    warn(call, reader, history=True)
    if call.out.plain:
        keys = "depth kind id cue_name status outcome_state scheduled_for parent_id external_id"
        call.out.records(list(_rows(root, 0)), [Column(key) for key in keys.split()])
    else:
        lines = _branch(call, root, "", "", _ARMS)
        call.out.record(root.to_record(), lines)


def _branch(
    call: Call, node: ChainNode, first: str, rest: str, arms: tuple[str, str, str, str]
) -> Iterator[Line]:
    head, *more = _node_lines(call, node)
    yield [first, *head]
    below = rest + (arms[1] if node.children else arms[3])
    for line in more:
        yield [below, *line]
    for place, child in enumerate(node.children, 1):
        is_last = place == len(node.children)
        arm, stem = (arms[2], arms[3]) if is_last else (arms[0], arms[1])
        yield from _branch(call, child, rest + arm, rest + stem, arms)


def _node_lines(call: Call, node: ChainNode) -> list[list[Part]]:
    if node.execution is not None:
        return _execution_lines(call, node.execution)
    if node.cue is not None:
        return [_cue_line(call, node.cue)]
    return [[("the record of the first execution is no longer kept", "dim")]]


def _execution_lines(call: Call, view: Record) -> list[list[Part]]:
    now = call.runtime.now()
    line: list[Part] = [(view["cue_name"], "bold"), "  ", verdict_part(view)]
    at = view["started_at"] or view["scheduled_for"]
    line.append(f"  {call.out.time(from_text(at), now, seconds=True)}")
    if took(view):
        line.append(f"  {took(view)}")
    line.append((f"  {view['id']}", "dim"))
    more: list[list[Part]] = []
    if view["why"]:
        more.append([view["why"]])
    evidence = [
        f"{name} {one_line(str(view[name]), 120)}"
        for name in ("external_id", "result_url", "result_ref", "result_type")
        if view[name]
    ]
    if view["artifacts"]:
        evidence.append(f"{len(view['artifacts'])} artifact(s)")
    if evidence:
        more.append([(", ".join(evidence), "dim")])
    return [line, *more]


def _cue_line(call: Call, view: Record) -> list[Part]:
    line: list[Part] = [(view["name"], "bold"), "  ", (view["status"], "yellow")]
    if view["status"] == "held":
        line.append(f"  until its parent ends ({view['origin']['when']})")
    elif view["next_run"]:
        line.append(f"  {call.out.when(from_text(view['next_run']), call.runtime.now())}")
    line.append((f"  {view['id']}", "dim"))
    return line


def _rows(node: ChainNode, depth: int) -> Iterator[Record]:
    if node.execution is not None:
        yield {**node.execution, "depth": depth, "kind": "execution"}
    elif node.cue is not None:
        cue = node.cue
        parent = cue["origin"]["parent"]
        row = {"id": cue["id"], "cue_name": cue["name"], "status": cue["status"]}
        row |= {"scheduled_for": cue["next_run"], "parent_id": parent}
        yield {**row, "depth": depth, "kind": "cue"}
    for child in node.children:
        yield from _rows(child, depth + 1)
