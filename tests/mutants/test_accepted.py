"""The list of survivors that are known: each has a reason, and is about code that is there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.mutants.accepted import accepted
from tests.mutants.blocks import blocks_of
from tests.mutants.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ROW = """
[[survivor]]
module = "cuectl/x.py"
function = "f"
noticeable = false
diff = '''
- a
+ b
'''
reason = "{reason}"
"""


def test_every_survivor_that_is_known_is_about_code_that_is_there() -> None:
    stale = []
    for one in accepted():
        text = (ROOT / one.module).read_text(encoding="utf-8")
        lines = {line.strip() for line in text.splitlines()}
        functions = {block.name.partition("#")[0] for block in blocks_of(ast.parse(text))}
        gone = [old for old in one.diff if old[0] == "-" and old[2:] not in lines]
        if gone or one.function not in functions | {""}:
            stale.append((one.module, one.function, one.diff))

    assert stale == [], "the code has changed: take these out of accepted.toml"


def test_what_is_known_is_read(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(ROW.format(reason="it is only quicker"))
    (one,) = accepted(path)
    assert (one.module, one.function, one.diff) == ("cuectl/x.py", "f", ("- a", "+ b"))
    assert not one.noticeable


def test_a_survivor_without_a_reason_or_listed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(ROW.format(reason=""))
    with pytest.raises(ValueError, match="no reason"):
        accepted(path)
    path.write_text(ROW.format(reason="it is only quicker") * 2)
    with pytest.raises(ValueError, match="twice"):
        accepted(path)
