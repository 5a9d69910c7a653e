"""Graphs of what starts what, and their text for Graphviz and Mermaid. Pure.

Labels come from outside, so each form escapes them; ids of ours are letters and digits.
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.model.terminal_text import one_line
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = dict[str, Any]

LONGEST_LABEL = 44


class Kind(StrEnum):
    """What a node stands for."""

    EVENT = "event"
    CUE = "cue"
    WORK = "work"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: `id` is of the graph's own, `label` is what people read."""

    id: str
    label: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One edge; `dashed` for what has only been seen, or only may happen."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes and edges, in the order in which they are to be read."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def to_record(self) -> Record:
        """Return the JSON form."""
        nodes = [{"id": n.id, "label": n.label, "kind": n.kind.value} for n in self.nodes]
        edges = [
            {"source": e.source, "target": e.target, "label": e.label, "dashed": e.dashed}
            for e in self.edges
        ]
        return {"nodes": nodes, "edges": edges}


class Draft:
    """A graph in the making: a node is there once for each key."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}
        self._nodes: list[Node] = []
        self._edges: dict[tuple[str, str, str], Edge] = {}

    def node(self, kind: Kind, key: str, label: str) -> str:
        """Return the id of the node of a kind with a key, new or not."""
        place = (kind.value, key)
        if place not in self._ids:
            self._ids[place] = f"n{len(self._ids)}"
            text = one_line(label, LONGEST_LABEL)
            self._nodes.append(Node(id=self._ids[place], label=text, kind=kind))
        return self._ids[place]

    def edge(self, source: str, target: str, label: str = "", *, dashed: bool = False) -> None:
        """Add an edge unless it is there."""
        text = one_line(label, LONGEST_LABEL)
        edge = Edge(source=source, target=target, label=text, dashed=dashed)
        self._edges.setdefault((source, target, text), edge)

    def graph(self) -> Graph:
        """Return what was drafted."""
        return Graph(nodes=tuple(self._nodes), edges=tuple(self._edges.values()))


_DOT_SHAPES = {
    Kind.EVENT: "shape=ellipse",
    Kind.CUE: "shape=box style=rounded",
    Kind.WORK: "shape=box",
    Kind.GOOD: 'shape=box style=rounded color="#1a7f37"',
    Kind.BAD: 'shape=box style=rounded color="#cf222e"',
    Kind.OPEN: 'shape=box style="rounded,dashed"',
}


def as_dot(graph: Graph) -> str:
    """Return the graph for Graphviz."""
    lines = ["digraph cuectl {", "  rankdir=LR;", "  node [fontname=sans];"]
    lines += [f"  {n.id} [label={_dot_text(n.label)} {_DOT_SHAPES[n.kind]}];" for n in graph.nodes]
    for edge in graph.edges:
        words = [f"label={_dot_text(edge.label)}"] if edge.label else []
        words += ["style=dashed"] if edge.dashed else []
        more = f" [{' '.join(words)}]" if words else ""
        lines.append(f"  {edge.source} -> {edge.target}{more};")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_text(text: str) -> str:
    # Graphviz reads `\n`, `\l`, `\N` and HTML entities in a quoted text.
    inside = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{inside}"'


_MERMAID_SHAPES = {
    Kind.EVENT: ("([", "])"),
    Kind.CUE: ("(", ")"),
    Kind.WORK: ("[", "]"),
    Kind.GOOD: ("(", ")"),
    Kind.BAD: ("(", ")"),
    Kind.OPEN: ("(", ")"),
}
_MERMAID_CLASSES = (
    "  classDef good stroke:#1a7f37;",
    "  classDef bad stroke:#cf222e;",
    "  classDef open stroke-dasharray:4;",
)


def as_mermaid(graph: Graph) -> str:
    """Return the graph as a flowchart of Mermaid."""
    lines = ["flowchart LR"]
    for node in graph.nodes:
        left, right = _MERMAID_SHAPES[node.kind]
        named = f":::{node.kind}" if node.kind in (Kind.GOOD, Kind.BAD, Kind.OPEN) else ""
        lines.append(f"  {node.id}{left}{_mermaid_text(node.label)}{right}{named}")
    for edge in graph.edges:
        arrow = "-.->" if edge.dashed else "-->"
        label = f"|{_mermaid_text(edge.label)}|" if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
    if any(node.kind in (Kind.GOOD, Kind.BAD, Kind.OPEN) for node in graph.nodes):
        lines += _MERMAID_CLASSES
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    # Everything that Mermaid or the page around it could read as markup goes by its number.
    safe = "".join(c if c.isalnum() or c in " .,:/*_-@=+" else f"#{ord(c)};" for c in text)
    return f'"{safe}"'
