"""Places for the nodes of a graph: layers from left to right, few crossings. Pure."""

from __future__ import annotations

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.graph import Graph

LETTER = 7.2
HEIGHT = 30
GAP_X = 90
GAP_Y = 16
PADDING = 12
_SWEEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a node stands: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT


def layers_of(graph: Graph) -> list[list[str]]:
    """Return the nodes by their distance from where edges begin.

    An edge that would close a circle is left out of the count, so it leads backwards.
    """
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
    for one in graph.nodes:
        layers[rank[one.id]].append(one.id)
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
    neighbours: dict[str, list[str]] = {}
    for edge in graph.edges:
        neighbours.setdefault(edge.source, []).append(edge.target)
        neighbours.setdefault(edge.target, []).append(edge.source)
    for _ in range(_SWEEPS):
        place = {node: number for layer in layers for number, node in enumerate(layer)}

        def middle(node: str, place: dict[str, int] = place) -> float:
            near = [place[one] for one in neighbours.get(node, ()) if one in place]
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
