"""The blocks of a module: what is told apart when it is measured which test reaches what."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Block:
    """Statements that run one after the other.

    Attributes:
        name: the function's qualified name and the block's number in it: the same for as long as
            the function is not changed.
        first: the first line, for a function that of its `def`.
        last: the last line.
    """

    name: str
    statements: list[ast.stmt]
    first: int
    last: int


def blocks_of(tree: ast.AST, scope: str = "") -> Iterator[Block]:
    """Yield the blocks of all functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            name = f"{scope}{node.name}"
            for number, (statements, first) in enumerate(_inside(node)):
                yield Block(f"{name}#{number}", statements, first, statements[-1].end_lineno or 0)
            yield from blocks_of(node, f"{name}.")
        elif isinstance(node, ast.ClassDef):
            yield from blocks_of(node, f"{scope}{node.name}.")
        else:
            yield from blocks_of(node, scope)


def _inside(function: Function) -> Iterator[tuple[list[ast.stmt], int]]:
    yield function.body, function.lineno
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (Function, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and statements:
                yield statements, statements[0].lineno
        waiting += ast.iter_child_nodes(node)


def block_at(blocks: list[Block], line: int) -> str:
    """Return the name of the innermost block with a line; empty outside of all functions."""
    around = [one for one in blocks if one.first <= line <= one.last]
    return min(around, key=lambda one: one.last - one.first).name if around else ""
