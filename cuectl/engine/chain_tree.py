"""A chain as a tree: executions, what they chained, and what has not run yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.executions import find_record, public, unsettled_records
from cuectl.model.cue import cue_from_record, state_from_record
from cuectl.model.cue_view import cue_view
from cuectl.model.ids import time_of
from cuectl.model.values import dataclass, field
from cuectl.store import paths
from cuectl.store.execution_history import REVISED, SETTLED
from cuectl.store.lines import encode

if TYPE_CHECKING:
    from cuectl.store.reading import Reader

Record = dict[str, Any]

CREATED = "cue.created"


@dataclass(slots=True, kw_only=True)
class Node:
    """One place in the tree.

    Attributes:
        execution: its public form; None for a chained cue that has not run yet.
        cue: the public form of such a cue.
        children: oldest first.
    """

    execution: Record | None = None
    cue: Record | None = None
    children: list[Node] = field(default_factory=list)

    def to_record(self) -> Record:
        """Return the public form, with everything below it."""
        return {
            "execution": self.execution,
            "cue": self.cue,
            "children": [child.to_record() for child in self.children],
        }


def chain_of(reader: Reader, ref: str, now: int) -> Node:
    """Return the tree that an execution belongs to.

    Args:
        reader: what to look in.
        ref: the id, or the start of one, of any execution in it.
        now: the instant, for what runs.

    Raises:
        NotFound: there is no such execution.
    """
    root_id = find_record(reader, ref)["root_id"]
    records = {
        record["id"]: record
        for record in unsettled_records(reader, now)
        if record["root_id"] == root_id
    }
    settled, created = _in_journal(reader, root_id)
    records |= settled
    nodes = {
        identity: Node(execution=public(reader, record))
        for identity, record in sorted(records.items())
    }
    for cue in _not_run(reader, created, records):
        nodes[cue["id"]] = Node(cue=cue)
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


def _not_run(reader: Reader, created: list[str], records: dict[str, Record]) -> list[Record]:
    """Return the chained cues, as far as they are still there, of which nothing has run."""
    ran = {record["cue_id"] for record in records.values()}
    found = []
    for cue_id in created:
        if cue_id in ran:
            continue
        cue, state = reader.read(paths.cue(cue_id)), reader.read(paths.state(cue_id))
        if cue is not None and state is not None:
            found.append(cue_view(cue_from_record(cue), state_from_record(state)))
    return found


def _joined(nodes: dict[str, Node], root_id: str) -> Node:
    root = nodes.get(root_id) or Node()
    for identity, node in nodes.items():
        if identity == root_id:
            continue
        # A parent whose record is no longer kept leaves its children to the root.
        parent = nodes.get(_parent(node) or "", root)
        (parent if parent is not node else root).children.append(node)
    return root


def _parent(node: Node) -> str | None:
    if node.execution is not None:
        parent: str | None = node.execution["parent_id"]
        return parent
    return node.cue["origin"]["parent"] if node.cue else None
