"""Measure which test reaches which block, also where a test starts the program as a process.

Every block of a copy of the source begins with a call that notes its number. Coverage tools write
a file for each process at its end, and there are tens of thousands of these, many of them killed.
"""

from __future__ import annotations

import ast
import json
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.blocks import blocks_of
from tests.mutants.tree import ROOT, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

# Every process of the copy imports this at its start. It must import next to nothing itself, and
# come through where a test takes away files, memory or rights.
NOTING = """\
import builtins
import posix

seen = set()
NOW = {now!r}


def reach(number):
    if number not in seen:
        seen.add(number)
        try:
            file = posix.open(NOW, posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT, 0o666)
            posix.write(file, b"%d\\n" % number)
            posix.close(file)
        except OSError:
            pass


builtins.__reach__ = reach
"""


@dataclass
class Test:
    """What was measured of a test, all of its parameters together."""

    __test__ = False

    seconds: float = 0.0
    passed: bool = True
    blocks: set[str] = field(default_factory=set)


Reached = dict[str, Test]


def reached_by(files: list[str], kept: Path, *, again: bool = False) -> Reached:
    """Return what the tests in some files reach; what was not measured before is measured now."""
    kept.mkdir(parents=True, exist_ok=True)
    missing = [name for name in files if again or not _place(kept, name).exists()]
    if missing:
        print(f"measuring what {len(missing)} files of tests reach", flush=True)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            _measure(Tree(Path(folder)), missing, kept)
    found: Reached = {}
    for name in files:
        path = _place(kept, name)
        for test, row in json.loads(path.read_text()).items() if path.exists() else ():
            found[test] = Test(row["seconds"], row["passed"], set(row["blocks"]))
    return found


def _place(kept: Path, file: str) -> Path:
    return kept / f"{file.replace('/', '-')}.json"


def _measure(tree: Tree, files: list[str], kept: Path) -> None:
    names: list[str] = []
    for path in sorted((tree.folder / "cuectl").rglob("*.py")):
        module = str(path.relative_to(tree.folder))
        tree.write(module, with_calls(path.read_text(encoding="utf-8"), module, names))
    place = tree.folder / ".venv"
    noting = NOTING.format(now=str(place / "now"))
    (tree.packages / "noting.py").write_text(noting)
    with (tree.packages / "copy.pth").open("a") as lines:
        lines.write("import noting\n")
    for file in files:
        # The plugin of a fuzzer costs more than the tests of most files.
        words = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
        words += ["-p", "tests.mutants.watching"]
        subprocess.run(
            [str(tree.python), "-m", "pytest", *words, file],
            cwd=tree.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        _keep(place / "watched", names, _place(kept, file))


def _keep(watched: Path, names: list[str], place: Path) -> None:
    """Write what one file's tests reached."""
    found: Reached = defaultdict(Test)
    for line in watched.read_text().splitlines() if watched.exists() else ():
        row = json.loads(line)
        test = found[row["test"].partition("[")[0]]
        test.seconds += row["seconds"]
        test.passed = test.passed and row["passed"]
        test.blocks.update(names[number] for number in row["blocks"])
    watched.unlink(missing_ok=True)
    rows = {
        name: {"seconds": one.seconds, "passed": one.passed, "blocks": sorted(one.blocks)}
        for name, one in found.items()
    }
    place.write_text(json.dumps(rows))


def with_calls(source: str, module: str, names: list[str]) -> str:
    """Return a module whose blocks say that they are reached; `names` gets the names of these."""
    tree = ast.parse(source)
    for block in list(blocks_of(tree)):
        at = int(block.name.endswith("#0") and _is_text(block.statements[0]))
        call = ast.Expr(ast.Call(ast.Name("__reach__", ast.Load()), [ast.Constant(len(names))], []))
        block.statements.insert(at, call)
        names.append(f"{module}:{block.name}")
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_files(folders: Iterable[str]) -> list[str]:
    """Return the files with tests below some folders of `tests`."""
    return [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    ]
