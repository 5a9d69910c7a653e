"""Graphs of what starts what, for Graphviz, Mermaid and as SVG; each form escapes its labels."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from html import escape

from cuectl.values.records import Record, dataclass
from cuectl.values.safe_text import one_line

LONGEST_LABEL = 44
_MERMAID_CLASSES = (
    "  classDef good stroke:#1a7f37;",
    "  classDef bad stroke:#cf222e;",
    "  classDef open stroke-dasharray:4;",
)
LETTER = 7.2
HEIGHT = 30
GAP_X = 90
GAP_Y = 16
PADDING = 12
_SWEEPS = 4
_BACK = 24
STYLE = """\
.g text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:currentColor}
.g .box{fill:none;stroke:currentColor}
.g .good{stroke:#1a7f37;stroke-width:2}
.g .bad{stroke:#cf222e;stroke-width:2}
.g .open,.g .dashed{stroke-dasharray:4 3}
.g .line{fill:none;stroke:currentColor;opacity:.6}
.g .about{font-size:10px;opacity:.8}
"""


class NodeKind(StrEnum):
    """What a node stands for."""

    EVENT = "event"
    CUE = "cue"
    WORK = "work"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One node: `id` is of the graph's own, `label` is what people read."""

    id: str
    label: str
    kind: NodeKind


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

    nodes: tuple[GraphNode, ...] = ()
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
        self._nodes: list[GraphNode] = []
        self._edges: dict[tuple[str, str, str], Edge] = {}

    def node(self, kind: NodeKind, key: str, label: str) -> str:
        """Return the id of the node of a kind with a key, new or not."""
        place = (kind.value, key)
        if place not in self._ids:
            self._ids[place] = f"n{len(self._ids)}"
            text = one_line(label, LONGEST_LABEL)
            self._nodes.append(GraphNode(id=self._ids[place], label=text, kind=kind))
        return self._ids[place]

    def edge(self, source: str, target: str, label: str = "", *, dashed: bool = False) -> None:
        """Add an edge unless it is there."""
        text = one_line(label, LONGEST_LABEL)
        edge = Edge(source=source, target=target, label=text, dashed=dashed)
        self._edges.setdefault((source, target, text), edge)

    def graph(self) -> Graph:
        """Return what was drafted."""
        return Graph(nodes=tuple(self._nodes), edges=tuple(self._edges.values()))


_RESULTS = (NodeKind.GOOD, NodeKind.BAD, NodeKind.OPEN)
_DOT_SHAPES = {
    NodeKind.EVENT: "shape=ellipse",
    NodeKind.CUE: "shape=box style=rounded",
    NodeKind.WORK: "shape=box",
    NodeKind.GOOD: 'shape=box style=rounded color="#1a7f37"',
    NodeKind.BAD: 'shape=box style=rounded color="#cf222e"',
    NodeKind.OPEN: 'shape=box style="rounded,dashed"',
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


_MERMAID_SHAPES = {NodeKind.EVENT: ("([", "])"), NodeKind.WORK: ("[", "]")}


def as_mermaid(graph: Graph) -> str:
    """Return the graph as a flowchart of Mermaid."""
    lines = ["flowchart LR"]
    for node in graph.nodes:
        left, right = _MERMAID_SHAPES.get(node.kind, ("(", ")"))
        named = f":::{node.kind}" if node.kind in _RESULTS else ""
        lines.append(f"  {node.id}{left}{_mermaid_text(node.label)}{right}{named}")
    for edge in graph.edges:
        arrow = "-.->" if edge.dashed else "-->"
        label = f"|{_mermaid_text(edge.label)}|" if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
    if any(node.kind in _RESULTS for node in graph.nodes):
        lines += _MERMAID_CLASSES
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    # Everything that Mermaid or the page around it could read as markup goes by its number.
    safe = "".join(c if c.isalnum() or c in " .,:/*_-@=+" else f"#{ord(c)};" for c in text)
    return f'"{safe}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a node stands: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT


def layers_of(graph: Graph) -> list[list[str]]:
    """Return the nodes by distance from the start; an edge that closes a circle does not count."""
    after: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        if edge.source in after and edge.target in after:
            after[edge.source].append(edge.target)
    order = _topological(after)
    rank = dict.fromkeys(after, 0)
    place = {node: number for number, node in enumerate(order)}
    for node in order:
        for target in after[node]:
            if place[target] > place[node]:
                rank[target] = max(rank[target], rank[node] + 1)
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for one, number in rank.items():
        layers[number].append(one)
    return _with_few_crossings(layers, graph)


def _topological(after: dict[str, list[str]]) -> list[str]:
    """Return the nodes so that edges lead forward, but for those that close a circle."""
    done: dict[str, None] = {}
    seen: set[str] = set()
    for start, following_start in after.items():
        # Without recursion: chains may be deep.
        stack = [(start, iter(following_start))] if start not in seen else []
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            following = next((one for one in rest if one not in seen), None)
            if following is None:
                done[node] = None
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(after[following])))
    return list(reversed(done))


def _with_few_crossings(layers: list[list[str]], graph: Graph) -> list[list[str]]:
    neighbours = defaultdict[str, list[str]](list)
    for edge in graph.edges:
        neighbours[edge.source].append(edge.target)
        neighbours[edge.target].append(edge.source)
    for _ in range(_SWEEPS):
        place = {node: number for layer in layers for number, node in enumerate(layer)}

        def middle(node: str, place: dict[str, int] = place) -> float:
            near = [place[one] for one in neighbours[node] if one in place]
            return sum(near) / len(near) if near else place[node]

        layers = [sorted(layer, key=middle) for layer in layers]
    return layers


def boxes_of(graph: Graph) -> tuple[dict[str, Box], float, float]:
    """Return the box of every node, and the width and height of the whole."""
    widths = {node.id: len(node.label) * LETTER + 2 * PADDING for node in graph.nodes}
    layers = layers_of(graph)
    tallest = max(map(len, layers), default=0)
    boxes: dict[str, Box] = {}
    x = float(PADDING)
    for layer in layers:
        width = max(widths[node] for node in layer)
        y = PADDING + (tallest - len(layer)) * (HEIGHT + GAP_Y) / 2
        for node in layer:
            boxes[node] = Box(x=x, y=y, width=widths[node])
            y += HEIGHT + GAP_Y
        x += width + GAP_X
    height = 2 * PADDING + tallest * (HEIGHT + GAP_Y) - GAP_Y
    return boxes, max(x - GAP_X + PADDING, 2.0 * PADDING), max(height, 2.0 * PADDING)


def svg_of(graph: Graph, *, standalone: bool = True, title: str = "") -> str:
    """Return the drawing; not `standalone`, it is part of a page that has its style."""
    boxes, width, height = boxes_of(graph)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    root = f'<svg xmlns="http://www.w3.org/2000/svg" class="g" role="img" {size}>'
    style = [f"<style>{STYLE}</style>"] if standalone else []
    edges = [_edge(one, boxes[one.source], boxes[one.target]) for one in graph.edges]
    nodes = [_node(one, boxes[one.id]) for one in graph.nodes]
    parts = [root, f"<title>{escape(title)}</title>", *style, *edges, *nodes, "</svg>"]
    return "\n".join(parts) + "\n"


def _node(node: GraphNode, box: Box) -> str:
    kind = node.kind
    round_by = {NodeKind.EVENT: HEIGHT / 2, NodeKind.WORK: 0}.get(kind, 6)
    name = f"box {kind}" if kind in _RESULTS else "box"
    place = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height}"'
    text = f'<text x="{box.x + PADDING:.0f}" y="{box.y + 19:.0f}">{escape(node.label)}</text>'
    return f'<rect class="{name}" {place} rx="{round_by:.0f}"/>\n{text}'


def _edge(edge: Edge, source: Box, target: Box) -> str:
    x1, y1 = source.x + source.width, source.y + HEIGHT / 2
    x2, y2 = target.x, target.y + HEIGHT / 2
    if x2 > x1:
        near, far, low1, low2 = (x1 + x2) / 2, (x1 + x2) / 2, y1, y2
    else:
        # Backwards: below what stands between.
        near, far = x1 + _BACK * 2, x2 - _BACK * 2
        low1 = low2 = max(y1, y2) + _BACK
    curve = f"C{near:.0f} {low1:.0f} {far:.0f} {low2:.0f} {x2 - 5:.0f} {y2:.0f}"
    head = f"M{x2 - 8:.0f} {y2 - 4:.0f}L{x2:.0f} {y2:.0f}L{x2 - 8:.0f} {y2 + 4:.0f}"
    name = "line dashed" if edge.dashed else "line"
    drawn = f'<path class="{name}" d="M{x1:.0f} {y1:.0f}{curve}"/><path class="line" d="{head}"/>'
    if not edge.label:
        return drawn
    middle = f'x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2 - 4:.0f}"'
    return f'{drawn}<text class="about" text-anchor="middle" {middle}>{escape(edge.label)}</text>'
