"""Operators that cosmic-ray lacks: what takes a line away, and what its comparisons leave out.

Most of what a crash, a stranger or a second process would show is a line that is not there: a sync,
a mask, a check that raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import parso
from cosmic_ray.operators.operator import Example, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = Any
Positions = tuple[tuple[int, int], tuple[int, int]]
_PAIRS = (("min", "any", "startswith", "partition"), ("max", "all", "endswith", "rpartition"))
SWAPPED = {**dict(zip(*_PAIRS, strict=True)), **dict(zip(*_PAIRS[::-1], strict=True))}


class DropLine(Operator):
    """Take away a statement that calls, raises, deletes, or sets an attribute or an item."""

    def mutation_positions(self, node: Node) -> Iterator[Positions]:
        """Yield the place of the statement."""
        parent = getattr(node, "parent", None)
        if parent is not None and parent.type == "simple_stmt" and _acts(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Put `pass` in its place."""
        return _as(node, "pass")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what it makes of what."""
        return (Example("f(x)\n", "pass\n"), Example("raise E\n", "pass\n"))


class ReturnNothing(Operator):
    """Return None where something is returned."""

    def mutation_positions(self, node: Node) -> Iterator[Positions]:
        """Yield the place of what is returned."""
        if node.type == "return_stmt" and node.children[1].get_code().strip() != "None":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Put None in its place."""
        return _as(node, "return None")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what it makes of what."""
        return (Example("def f(): return 1\n", "def f(): return None\n"),)


class DropArgument(Operator):
    """Take away an argument that is given by its name."""

    def mutation_positions(self, node: Node) -> Iterator[Positions]:
        """Yield the places of the arguments."""
        for one in _named(node):
            yield one.start_pos, one.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Remove one and the comma behind or before it."""
        at = node.children.index(list(_named(node))[index])
        children = node.children
        if at + 1 < len(children) and children[at + 1].type == "operator":
            first, last = (at, at + 2) if children[at + 1].value == "," else (at, at + 1)
        else:
            first, last = at - 1, at + 1
        if children[first].get_code().strip() == "(":
            first += 1
        del children[first:last]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what it makes of what."""
        return (Example("f(a, b=1)\n", "f(a)\n"),)


class ReplaceMembership(Operator):
    """Put `not in` for `in`, and the other way."""

    def mutation_positions(self, node: Node) -> Iterator[Positions]:
        """Yield the places of the operators."""
        if node.type == "comparison":
            for one in node.children[1::2]:
                if one.get_code().split() in (["in"], ["not", "in"]):
                    yield one.start_pos, one.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Replace one."""
        ours = [
            at
            for at, one in enumerate(node.children)
            if at % 2 and one.get_code().split() in (["in"], ["not", "in"])
        ]
        old = node.children[ours[index]]
        text = "not in" if old.get_code().strip() == "in" else "in"
        node.children[ours[index]] = _as(old, text)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what it makes of what."""
        return (Example("x in y\n", "x not in y\n"),)


class SwapName(Operator):
    """Put `max` for `min`, `all` for `any`, `endswith` for `startswith`, and the other way."""

    def mutation_positions(self, node: Node) -> Iterator[Positions]:
        """Yield the place of the name."""
        if node.type == "name" and node.value in SWAPPED:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Replace it."""
        node.value = SWAPPED[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what it makes of what."""
        return (Example("min(x)\n", "max(x)\n"),)


OURS = (DropLine, ReturnNothing, DropArgument, ReplaceMembership, SwapName)


def _acts(node: Node) -> bool:
    if node.type in ("raise_stmt", "del_stmt"):
        return True
    if node.type in ("atom_expr", "power", "await_expr"):
        return bool(node.children[-1].get_code().startswith("("))
    return node.type == "expr_stmt" and node.children[0].type in ("atom_expr", "power")


def _named(node: Node) -> Iterator[Node]:
    if node.type == "arglist" or (node.type == "trailer" and node.children[0].value == "("):
        for one in node.children:
            if one.type == "argument" and one.children[1].get_code().strip() == "=":
                yield one


def _as(node: Node, text: str) -> Node:
    """Parse a text that stands where a node stood."""
    prefix = node.get_first_leaf().prefix
    return parso.parse(prefix + text)
