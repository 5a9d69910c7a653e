"""`cuectl chain show`: a chain as a tree, with states, times and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line, Part
    from cuectl.engine.chain_tree import Node

Record = dict[str, Any]

_ARMS = {True: ("├─ ", "│  ", "└─ ", "   "), False: ("|- ", "|  ", "`- ", "   ")}


def run(call: Call, *, id: str) -> int | None:  # noqa: A002
    """Print the tree that an execution belongs to."""
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.engine.chain_tree import chain_of

    reader = reader_of(call)
    root = chain_of(reader, id, call.runtime.now())
    for problem in reader.history.problems:
        call.out.warn(problem, hint="see: cuectl fsck")
    warn(call, reader)
    if call.out.plain:
        _print_rows(call, root)
    else:
        call.out.record(root.to_record(), tree_lines(call, root))
    return None


def tree_lines(call: Call, root: Node) -> Iterator[Line]:
    """Yield the lines of a tree, each with what is known of one execution or cue."""
    encoding = (getattr(call.out.stdout, "encoding", None) or "").lower().replace("-", "")
    arms = _ARMS[encoding == "utf8"]
    yield from _branch(call, root, "", "", arms)


def _branch(
    call: Call, node: Node, first: str, rest: str, arms: tuple[str, str, str, str]
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


def _node_lines(call: Call, node: Node) -> list[list[Part]]:
    if node.execution is not None:
        return _execution_lines(call, node.execution)
    if node.cue is not None:
        return [_cue_line(call, node.cue)]
    return [[("the record of the first execution is no longer kept", "dim")]]


def _execution_lines(call: Call, view: Record) -> list[list[Part]]:
    from cuectl.cli.execution_lines import note_of, outcome_style, status_style, took
    from cuectl.model.instants import from_text
    from cuectl.model.terminal_text import one_line

    now = call.runtime.now()
    line: list[Part] = [(view["cue_name"], "bold"), "  ", (view["status"], status_style(view))]
    if view["outcome_state"]:
        line += ["  ", (view["outcome_state"], outcome_style(view))]
    at = view["started_at"] or view["scheduled_for"]
    line.append(f"  {call.out.time(from_text(at), now, seconds=True)}")
    if took(view):
        line.append(f"  {took(view)}")
    line.append((f"  {view['id']}", "dim"))
    more: list[list[Part]] = []
    if note := note_of(view):
        more.append([note])
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
    from cuectl.model.instants import from_text

    line: list[Part] = [(view["name"], "bold"), "  ", (view["status"], "yellow")]
    if view["status"] == "held":
        line.append(f"  until its parent has ended ({view['origin']['when']})")
    elif view["next_run"]:
        line.append(f"  {call.out.when(from_text(view['next_run']), call.runtime.now())}")
    line.append((f"  {view['id']}", "dim"))
    return line


def _print_rows(call: Call, root: Node) -> None:
    from cuectl.cli.tables import Column

    keys = "depth kind id cue_name status outcome_state scheduled_for parent_id external_id"
    call.out.records(list(_rows(root, 0)), [Column(key=key) for key in keys.split()])


def _rows(node: Node, depth: int) -> Iterator[Record]:
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


command = Command(
    name="chain show",
    summary="Draw the chain that an execution belongs to",
    description="""
        Prints every execution of a chain below the one that chained it, with its state, time
        and evidence, and the chained cues that have not run yet. Any execution of the chain
        will do.
    """,
    arguments=(
        Argument(name="ID", help="Id of an execution, or the start of one", complete="execution"),
    ),
    see_also=("cuectl-chain(1)", "cuectl-executions-list(1)"),
    run=run,
)
