"""Mutants are other programs, the same ones for the same seed, and never in the tree itself."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tests.mutants.blocks import block_at, blocks_of
from tests.mutants.reach import with_calls
from tests.mutants.tree import ROOT

SOURCE = '''\
"""A module."""
LIMIT = 3


class Thing:
    def act(self, wanted: int | None = None) -> int:
        """Act."""
        if wanted in (1, 2):
            self.sync()
            return min(wanted, LIMIT)
        for one in self.all(deep=True):
            raise ValueError(one)
        return 0
'''


def test_blocks_are_told_apart() -> None:
    blocks = list(blocks_of(ast.parse(SOURCE)))

    assert {one.name: (one.first, one.last) for one in blocks} == {
        "Thing.act#0": (6, 13),
        "Thing.act#1": (9, 10),
        "Thing.act#2": (12, 12),
    }
    assert [block_at(blocks, line) for line in (2, 6, 8, 9, 12, 13)] == [
        *("", "Thing.act#0", "Thing.act#0", "Thing.act#1", "Thing.act#2", "Thing.act#0")
    ]


def test_every_block_says_that_it_is_reached() -> None:
    names: list[str] = []
    space: dict[str, Any] = {}
    reached: list[int] = []
    code = with_calls(SOURCE, "m.py", names)
    exec(compile(code, "m", "exec"), space | {"__reach__": reached.append}, space)
    space["LIMIT"] = 3
    act = space["Thing"].act
    act.__globals__.update(LIMIT=3)
    thing = type("T", (), {"sync": lambda self: None, "all": lambda self, deep: []})()

    assert (act(thing, 1), act(thing), act.__doc__) == (1, 0, "Act.")
    assert [names[number] for number in reached] == [
        *("m.py:Thing.act#0", "m.py:Thing.act#1", "m.py:Thing.act#0")
    ]


def test_our_operators_do_what_their_examples_say() -> None:
    pytest.importorskip("cosmic_ray", reason="make mutants installs it")
    from cosmic_ray.mutating import mutate_code

    from tests.mutants.operators import OURS

    for kind in OURS:
        for example in kind.examples():
            found = mutate_code(example.pre_mutation_code, kind(), example.occurrence)
            assert found == example.post_mutation_code


def test_a_sample_is_the_same_for_the_same_seed_and_changes_what_runs() -> None:
    pytest.importorskip("cosmic_ray", reason="make mutants installs it")
    from tests.mutants.making import sample

    before = {path: path.read_bytes() for path in (ROOT / "cuectl" / "alerts").rglob("*.py")}
    first, again = sample("alerts/sinks", 5, "1"), sample("alerts/sinks", 5, "1")
    other = sample("alerts/sinks", 5, "2")

    assert [one.key for one in first] == [one.key for one in again]
    assert len({one.key for one in first}) == 5
    assert [one.key for one in first] != [one.key for one in other]
    for one in first:
        text = (ROOT / one.module).read_text(encoding="utf-8")
        assert ast.dump(ast.parse(one.source)) != ast.dump(ast.parse(text))
        assert all(line[0] in "+-" for line in one.diff)
    assert {path: path.read_bytes() for path in before} == before
