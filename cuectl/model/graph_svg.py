"""A graph as SVG that needs nothing from outside. Pure."""

from __future__ import annotations

from html import escape

from cuectl.model.graph import Kind
from cuectl.model.graph_layout import HEIGHT, PADDING, boxes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.graph import Edge, Graph
    from cuectl.model.graph_layout import Box

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


def svg_of(graph: Graph, *, standalone: bool = True, title: str = "") -> str:
    """Return the drawing.

    Args:
        graph: what to draw.
        standalone: a file of its own, with its style; otherwise a part of a page that has it.
        title: for those who do not see it.
    """
    boxes, width, height = boxes_of(graph)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    root = f'<svg xmlns="http://www.w3.org/2000/svg" class="g" role="img" {size}>'
    parts = [root, f"<title>{escape(title)}</title>"]
    if standalone:
        parts.append(f"<style>{STYLE}</style>")
    parts += [_edge(one, boxes[one.source], boxes[one.target]) for one in graph.edges]
    for node in graph.nodes:
        parts += _node(node.label, node.kind, boxes[node.id])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _node(label: str, kind: Kind, box: Box) -> list[str]:
    round_by = {Kind.EVENT: HEIGHT / 2, Kind.WORK: 0}.get(kind, 6)
    name = f"box {kind}" if kind in (Kind.GOOD, Kind.BAD, Kind.OPEN) else "box"
    place = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height}"'
    return [
        f'<rect class="{name}" {place} rx="{round_by:.0f}"/>',
        f'<text x="{box.x + PADDING:.0f}" y="{box.y + 19:.0f}">{escape(label)}</text>',
    ]


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
