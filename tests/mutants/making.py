"""Make mutants of the modules of a wing, and choose some of them."""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.blocks import Block, blocks_of
from tests.mutants.operators import OURS
from tests.mutants.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[int, int]

# These need arguments, or make nothing; a decorator that is gone ends the import, or is a cache.
_LEFT_OUT = ("NoOp", "RemoveDecorator", "Variable")
# `/` for `<<` and the like only ever end in a TypeError, which any test sees: one each is enough.
_PLAIN = ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_FloorDiv", "BitOr_BitAnd")


@dataclass(frozen=True)
class Mutant:
    """One small change.

    Attributes:
        module: the path of the source.
        line: where the change begins.
        function: the qualified name around it; empty outside of all.
        operator: what kind of change it is.
        source: the module with the change.
        diff: the lines that are different, `-` before the old and `+` before the new ones.
    """

    module: str
    line: int
    function: str
    operator: str
    source: str
    diff: tuple[str, ...]

    @property
    def key(self) -> str:
        """What it is known by for as long as its lines are the same, wherever these stand."""
        text = "\n".join((self.module, self.function, *self.diff))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def sample(wing: str, count: int, seed: str) -> list[Mutant]:
    """Choose mutants of a wing: the same for the same seed, also where other lines have changed."""
    places = [
        one
        for path in sorted((ROOT / "cuectl" / wing).rglob("*.py"))
        for one in _places(path, seed)
    ]
    found: list[Mutant] = []
    for _, module, kinds in sorted(places):
        if len(found) == count:
            break
        source = (ROOT / module).read_text(encoding="utf-8")
        mutants = (_made(module, source, *kind) for kind in kinds)
        found += [one for one in mutants if one is not None][:1]
    return found


def mutants_of(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    source = (ROOT / module).read_text(encoding="utf-8")
    for kinds in _kinds(source).values():
        for kind in kinds:
            if made := _made(module, source, *kind):
                yield made


Kind = tuple[str, int, int]


def _places(path: Any, seed: str) -> Iterator[tuple[str, str, list[Kind]]]:
    """Yield a number by which places are drawn, the module, and what can be done there."""
    source = path.read_text(encoding="utf-8")
    module, lines = str(path.relative_to(ROOT)), source.splitlines()
    blocks = _blocks(source)
    seen: dict[str, int] = defaultdict(int)
    for (line, column), kinds in sorted(_kinds(source).items()):
        function = _function_at(blocks, line)
        text = f"{module}:{function}:{lines[line - 1].strip()}:{column}"
        seen[text] += 1
        drawn = hashlib.sha256(f"{seed}:{text}:{seen[text]}".encode()).hexdigest()
        turn = int(drawn[-4:], 16) % len(kinds)
        yield drawn, module, kinds[turn:] + kinds[:turn]


def _kinds(source: str) -> dict[Place, list[Kind]]:
    """Return what can be done where: the name of an operator, which of its places, the line."""
    nodes = list(ast_nodes(get_ast(source)))
    hidden = _hidden(source)
    found: dict[Place, list[Kind]] = defaultdict(list)
    for name, operator in _operators().items():
        positions = [one for node in nodes for one in _positions(operator, node)]
        for number, (start, _) in enumerate(positions):
            if not any(first <= start < last for first, last in hidden):
                found[start].append((name, number, start[0]))
    return found


def _positions(operator: Any, node: Any) -> list[Any]:
    try:
        return list(operator.mutation_positions(node))
    # Some can't read `except module.Name`.
    except AttributeError:
        return []


@cache
def _operators() -> dict[str, Any]:
    names = [
        name
        for name in operator_names()
        if not any(word in name for word in _LEFT_OUT)
        and ("ReplaceBinaryOperator" not in name or name.endswith(_PLAIN))
    ]
    found = {name.rpartition("/")[2]: get_operator(name)() for name in names}
    return found | {kind.__name__: kind() for kind in OURS}


def _hidden(source: str) -> list[tuple[Place, Place]]:
    """Return what no caller can tell: annotations, what is for types alone, `frozen`, `slots`."""
    found: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            found.append(node.returns)
        elif isinstance(node, ast.ClassDef):
            found += node.decorator_list
        elif (isinstance(node, ast.If) and _says_typing(node.test)) or (
            isinstance(node, ast.Assign) and _says_typing(node.targets[0])
        ):
            found.append(node)
    return [_extent(node) for node in found]


def _extent(node: Any) -> tuple[Place, Place]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _says_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"


def _made(module: str, source: str, name: str, number: int, line: int) -> Mutant | None:
    """Return the mutant, if the change gives another program."""
    try:
        mutated = mutate_code(source, _operators()[name], number)
        if mutated is None or ast.dump(ast.parse(mutated)) == _shape(source):
            return None
    except (SyntaxError, AttributeError, ValueError):
        return None
    function = _function_at(_blocks(source), line)
    return Mutant(module, line, function, name, mutated, _changed(source, mutated))


@cache
def _blocks(source: str) -> list[Block]:
    return list(blocks_of(ast.parse(source)))


@cache
def _shape(source: str) -> str:
    return ast.dump(ast.parse(source))


def _changed(before: str, after: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    kept = (one for one in list(lines)[2:] if one[0] in "+-")
    return tuple(f"{one[0]} {one[1:].strip()}" for one in kept)


def _function_at(blocks: list[Block], line: int) -> str:
    around = [one for one in blocks if one.first <= line <= one.last]
    if not around:
        return ""
    inner = min(around, key=lambda one: one.last - one.first)
    return inner.name.partition("#")[0]
