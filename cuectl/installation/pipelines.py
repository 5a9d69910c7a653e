"""What starts what: events, cues and their work; and one chain of executions, as a tree."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import TYPE_CHECKING

from cuectl.cues.lookup import all_cues
from cuectl.cues.rules.record import Cue, CueStatus, cue_from_record, cue_view, state_from_record
from cuectl.cues.words import schedule_briefly
from cuectl.definitions.in_force import definitions
from cuectl.events.lines import is_subscription
from cuectl.events.rules.match import sources_of, targets_of
from cuectl.executions.lookup import find_record, public, record_of, unsettled_records
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import counts_as_success
from cuectl.executions.rules.verification import OutcomeState
from cuectl.installation.graph import Draft, Graph, NodeKind
from cuectl.store import paths
from cuectl.store.history import REVISED, SETTLED, settled_newest_first
from cuectl.store.journal.lines import encode
from cuectl.values.ids import time_of
from cuectl.values.records import Record, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cuectl.definitions.in_force import InForce
    from cuectl.store.reading import Reader

CREATED = "cue.created"
_LIVE = (CueStatus.ACTIVE, CueStatus.PAUSED)
_ASKS = ("watch", "repo", "interval_minutes", "schedule_times", "fire_at")
_HAS_PARENT = (b'"parent":"exec_',)
_LOOKED_AT = 200
_OVER = frozenset({"failed", "timed_out", "interrupted", "missed"})


@dataclass(slots=True, kw_only=True)
class ChainNode:
    """One place in the tree: an execution, or a chained cue that has not run yet."""

    execution: Record | None = None
    cue: Record | None = None
    children: list[ChainNode] = field(default_factory=list)

    def to_record(self) -> Record:
        """Return the public form, with everything below it."""
        children = [child.to_record() for child in self.children]
        return {"execution": self.execution, "cue": self.cue, "children": children}


def chain_of(
    reader: Reader, ref: str, now: int, shown: Callable[[Record], Record] = dict
) -> ChainNode:
    """Return the tree of an execution, named by its id or the start of one, as `shown` shows it."""
    root_id = find_record(reader, ref)["root_id"]
    unsettled = (one for one in unsettled_records(reader, now) if one["root_id"] == root_id)
    settled, created = _in_journal(reader, root_id)
    records = {record["id"]: record for record in unsettled} | settled
    nodes = {
        one: ChainNode(execution=shown(public(reader, records[one]))) for one in sorted(records)
    }
    ran = {record["cue_id"] for record in records.values()}
    for cue_id in created:
        cue, state = reader.read(paths.cue(cue_id)), reader.read(paths.state(cue_id))
        if cue_id not in ran and cue is not None and state is not None:
            view = shown(cue_view(cue_from_record(cue), state_from_record(state)))
            nodes[view["id"]] = ChainNode(cue=view)
    return _joined(nodes, root_id)


def _in_journal(reader: Reader, root_id: str) -> tuple[dict[str, Record], list[str]]:
    """Return the settled executions of a chain, and the ids of the cues that it made."""
    value = encode(root_id).encode("ascii")
    members = (b'"root":' + value, b'"execution":' + value)
    types = tuple(b'"type":' + encode(one).encode("ascii") for one in (SETTLED, REVISED, CREATED))
    found: dict[str, Record] = {}
    created: list[str] = []
    for line in reader.history.oldest_first([(members, types)], time_of(root_id)):
        if root_id not in (line.get("root"), line.get("execution")):
            continue
        if line["type"] == CREATED:
            created.append(line["cue"])
        elif line["type"] in (SETTLED, REVISED) and isinstance(line.get("record"), dict):
            # Oldest first, so what is revised takes the place of what was.
            found[line["execution"]] = line["record"]
    return found, created


def _joined(nodes: dict[str, ChainNode], root_id: str) -> ChainNode:
    root = nodes.get(root_id) or ChainNode()
    for node in nodes.values():
        if node is root:
            continue
        # A parent whose record is no longer kept leaves its children to the root.
        parent = nodes.get(_parent(node), root)
        (parent if parent is not node else root).children.append(node)
    return root


def _parent(node: ChainNode) -> str:
    cue = node.cue or {"origin": {"parent": None}}
    return (node.execution["parent_id"] if node.execution else cue["origin"]["parent"]) or ""


def pipelines(reader: Reader, chained: Iterable[tuple[str, str]] = ()) -> Graph:
    """Return what can still start something; `chained` has (cue name, name of one it chained)."""
    draft = Draft()
    cues = [cue for cue, state in all_cues(reader) if state.status in _LIVE]
    cues.sort(key=lambda cue: (not is_subscription(cue), cue.name))
    in_force = definitions(reader)
    for cue in cues:
        if cue.origin.parent is None:
            _add(draft, cue, in_force)
    for parent, child in chained:
        source = draft.node(NodeKind.CUE, parent, parent)
        draft.edge(source, draft.node(NodeKind.CUE, child, child), "chains", dashed=True)
    return draft.graph()


def chained_pairs(reader: Reader) -> list[tuple[str, str]]:
    """Return which cues were seen to chain which, by the newest chained executions."""
    if not reader.home:
        return []
    names: dict[str, str | None] = {}
    found: set[tuple[str, str]] = set()
    for record in islice(settled_newest_first(reader.history, (_HAS_PARENT,)), _LOOKED_AT):
        parent = record.get("parent_id") or ""
        if parent not in names:
            names[parent] = (record_of(reader, parent) or {}).get("cue_name") if parent else None
        if name := names[parent]:
            found.add((name, str(record["cue_name"])))
    return sorted(found)


def _add(draft: Draft, cue: Cue, in_force: InForce) -> None:
    place = draft.node(NodeKind.CUE, cue.name, cue.name)
    for source, label in _sources(draft, cue.trigger, in_force):
        draft.edge(source, place, label)
    for each in targets_of(cue.target):
        known = in_force.agent_of(each) if "agent" in each else None
        target = _target(each if known is None else each | {"agent": known.name})
        draft.edge(place, draft.node(NodeKind.WORK, target, target))


def _sources(draft: Draft, trigger: Record, in_force: InForce) -> list[tuple[str, str]]:
    if trigger["type"] != "event":
        text = "" if trigger["type"] == "manual" else schedule_briefly(trigger)
        return [(draft.node(NodeKind.EVENT, text, text), "")] if text else []
    condition = ", ".join(f"{key}={value}" for key, value in trigger.get("filter", {}).items())
    named = [_agent(one) for one in sources_of(trigger, in_force.agent)]
    if named:
        return [(draft.node(NodeKind.WORK, one, one), condition or "completed") for one in named]
    asks = [str(trigger[key]) for key in _ASKS if trigger.get(key)]
    key = " ".join([trigger["event"], *asks])
    return [(draft.node(NodeKind.EVENT, key, key), condition)]


def _agent(name: str) -> str:
    return f"agent {name}"


def _target(target: Record) -> str:
    match target.get("type"):
        case "agent":
            return _agent(str(target.get("agent", "?")))
        case "task":
            return f"task {target['task']}"
        case "workflow":
            return f"workflow {target.get('workflow')}"
        case "webhook":
            return str(target.get("url"))
        case "command":
            return target.get("shell") or shlex.join(target.get("argv", ()))
        case other:
            return str(other)


def chain_graph(root: ChainNode) -> Graph:
    """Return one chain: executions by their results, and what has not run yet."""
    draft = Draft()
    stack = [(root, "")]
    while stack:
        node, parent = stack.pop()
        place = _chain_node(draft, node)
        if parent:
            draft.edge(parent, place, dashed=node.execution is None)
        stack += [(child, place) for child in reversed(node.children)]
    return draft.graph()


def _chain_node(draft: Draft, node: ChainNode) -> str:
    view = node.execution
    if view is None:
        cue = node.cue or {"id": "", "name": "no longer kept"}
        return draft.node(NodeKind.OPEN, cue["id"], f"{cue['name']} (not yet)")
    word = OutcomeState(view["outcome_state"] or OutcomeState.UNKNOWN)
    kind = NodeKind.BAD if view["status"] in _OVER else NodeKind.OPEN
    if view["status"] == "succeeded":
        kind = NodeKind.GOOD if counts_as_success(ExecutionStatus.SUCCEEDED, word) else NodeKind.BAD
    said = view["outcome_state"] or view["status"]
    return draft.node(kind, view["id"], f"{view['cue_name']}: {said}")
