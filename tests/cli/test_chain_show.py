"""`chain show`: the tree of a chain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.past import START, fire, make_past
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

ENDLESS = """\
N=$(( ${N:-0} + 1 ))
cuectl chain --name step-$N --in 1h --env N=$N -- sh "$0" > /dev/null
cuectl chain --name held-$N --when failure -- true > /dev/null
"""


def shape(node: dict[str, Any]) -> Any:
    """Return the names and states of a tree."""
    one = node["execution"] or node["cue"]
    return (
        one.get("cue_name") or one.get("name"),
        one["status"],
        [shape(child) for child in node["children"]],
    )


def test_a_tree_has_every_execution_below_its_parent(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    tree = cuectl.json("chain", "show", ids["audit"])

    assert_fits(tree, "chain-show")
    name, status, children = shape(tree)
    assert (name, status) == ("audit", "succeeded")
    assert sorted(children) == [
        ("check", "succeeded", []),
        ("mourn", "skipped", []),
        ("tidy", "succeeded", []),
    ]


def test_any_execution_of_a_chain_shows_all_of_it(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)
    whole = cuectl.json("chain", "show", ids["audit"])

    for child in whole["children"]:
        assert cuectl.json("chain", "show", child["execution"]["id"]) == whole
    assert cuectl.json("chain", "show", ids["audit"][:-4]) == whole


def test_it_is_drawn_with_states_times_and_evidence(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    drawn = cuectl.run("chain", "show", ids["audit"], "--utc").stdout.splitlines()

    assert re.fullmatch(
        rf"audit  passed  Sat 21 Nov 02:00:\d\d UTC  [\d.]+s  {ids['audit']}", drawn[0]
    )
    assert drawn[1] == "│  Filed 3 issues"
    assert drawn[2].startswith("│  external_id run-7, result_url https://example.org/issues")
    arms = [line[:3] for line in drawn[3:] if line[:3] in ("├─ ", "└─ ")]
    assert arms == ["├─ ", "├─ ", "└─ "]
    assert any("its parent ended succeeded" in line for line in drawn)


def test_chained_cues_that_have_not_run_are_shown(cuectl: Cuectl) -> None:
    cuectl.files({"step.sh": ENDLESS}).at(START)
    cuectl.run("create", "--name", "first", "--", "sh", str(cuectl.work / "step.sh"))
    first = fire(cuectl, "first")

    tree = cuectl.json("chain", "show", first)
    drawn = cuectl.run("chain", "show", first).stdout

    assert_fits(tree, "chain-show")
    pending = [child for child in tree["children"] if child["cue"]]
    assert [child["cue"]["name"] for child in pending] == ["step-1"]
    assert re.search(r"[├└]─ step-1  active  .*Nov 03:00 UTC \(in .*\)  cue_", drawn), drawn


def test_grandchildren_stand_below_their_parents(cuectl: Cuectl) -> None:
    cuectl.files({"step.sh": ENDLESS}).at(START)
    cuectl.run("create", "--name", "first", "--", "sh", str(cuectl.work / "step.sh"))
    first = fire(cuectl, "first")
    cuectl.at("2026-11-21T03:00:10Z").run("run-due")
    cuectl.at("2026-11-21T04:00:20Z").run("run-due")

    _, _, children = shape(cuectl.json("chain", "show", first))

    (child,) = [one for one in children if one[0] == "step-1"]
    (grandchild,) = [one for one in child[2] if one[0] == "step-2"]
    assert {name for name, _, _ in grandchild[2]} == {"step-3", "held-3"}


def test_an_execution_alone_is_a_tree_of_one(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    assert shape(cuectl.json("chain", "show", ids["forgetful"])) == ("forgetful", "failed", [])


def test_plain_rows_have_their_depth(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    rows = cuectl.run("chain", "show", ids["audit"], "--plain").stdout.splitlines()

    assert rows[0].split("\t")[:3] == ["depth", "kind", "id"]
    assert [row.split("\t")[0] for row in rows[1:]] == ["0", "1", "1", "1"]


@pytest.mark.parametrize("ref", ["no-such-cue", "exec_0000000000"])
def test_a_chain_that_is_not_there_is_not_found(cuectl: Cuectl, ref: str) -> None:
    make_past(cuectl)

    assert cuectl.run("chain", "show", ref).status == 5
