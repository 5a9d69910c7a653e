"""Modules with workflows: each with what stands beside it, and one procedure for a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

FLOW = """\
from cuectl.workflow import workflow
import helpers

@workflow
async def {name}(engine):
    import later
    answer = await engine.ask_human("go on?")
    return [helpers.WHO, later.WHO, answer]
"""
BESIDE = "WHO = '{who}'\n"


@pytest.fixture
def two(cuectl: Cuectl) -> Cuectl:
    """The program with two directories that have modules of the same names."""
    for who in ("one", "two"):
        cuectl.files({f"{who}/{name}.py": BESIDE.format(who=who) for name in ("helpers", "later")})
        cuectl.files({f"{who}/flow.py": FLOW.format(name=who)})
    cuectl.files({"cue.yaml": "workflows: [one/flow.py, two/flow.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


@pytest.mark.parametrize("who", ["one", "two"])
def test_each_directory_has_helpers_of_its_own(two: Cuectl, who: str) -> None:
    """Guards: the second directory got the first one's `helpers`, and ran with them."""
    assert two.run("-q", "workflow", "run", who).status == 4
    two.run("workflow", "answer", "last", "yes")
    assert two.json("workflow", "resume", "last")["result"] == [who, who, "yes"]


PACKAGE = {
    "shop/__init__.py": "",
    "shop/tools/__init__.py": "",
    "shop/tools/words.py": "from .. import names\n\nSAID = names.SAID\n",
    "shop/names.py": "SAID = 'hello'\n",
    "shop/flows/__init__.py": "",
    "shop/flows/greet.py": """\
from cuectl.workflow import workflow
from ..tools.words import SAID

@workflow
async def greet(engine):
    from . import late
    return [SAID, late.WORD, await engine.ask_human("who?")]
""",
    "shop/flows/late.py": "WORD = 'late'\n",
}


@pytest.mark.parametrize("module", ["shop/flows/greet.py", "shop/flows"])
def test_a_run_of_a_package_goes_on(cuectl: Cuectl, module: str) -> None:
    """Guards: a workflow with relative imports could not be resumed."""
    cuectl.files(PACKAGE)
    assert cuectl.run("-q", "workflow", "run", "greet", "--module", module).status == 4
    cuectl.run("workflow", "answer", "last", "Ada")
    assert cuectl.json("workflow", "resume", "last")["result"] == ["hello", "late", "Ada"]


SAYS = """\
from cuectl.workflow import workflow

@workflow
async def says(engine):
    return "{who}"

@workflow
async def only_{who}(engine):
    return "only {who}"
"""


@pytest.fixture
def clash(cuectl: Cuectl) -> Cuectl:
    """The program with two files that register one name."""
    cuectl.files({f"{who}.py": SAYS.format(who=who) for who in ("one", "two", "three")})
    cuectl.files({"cue.yaml": "workflows: [one.py, two.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def test_a_name_of_two_places_is_refused_and_both_are_named(clash: Cuectl) -> None:
    """Guards: the first of them ran, with a warning and status 0."""
    first, second = (f"{clash.work}/{who}.py:3" for who in ("one", "two"))
    message = f"workflow 'says' at {second} has the name of the one at {first}"
    answer = clash.run("-q", "workflow", "run", "says")
    assert answer.status == 7
    end = f"cuectl: error: {message}\nhint: say which one you mean: --module FILE\n"
    assert answer.stderr.endswith(end)
    checked = clash.run("workflow", "check")
    assert (checked.status, message in checked.stdout) == (7, True)
    assert clash.run("-q", "workflow", "run", "only_one").stdout == "only one\n"
    clash.run("create", "--name", "work", "--workflow", "says")
    assert clash.run("fire", "work", "--wait").status == 3
    assert [one["workflow"] for one in clash.json("workflow", "runs")] == ["only_one"]


@pytest.mark.parametrize("who", ["one", "two", "three"])
def test_the_module_that_is_named_decides(clash: Cuectl, who: str) -> None:
    """Guards: `--module three.py` ran the procedure of another file."""
    answer = clash.run("-q", "workflow", "run", "says", "--module", f"{who}.py")
    assert (answer.stdout, answer.status) == (f"{who}\n", 0)


def test_two_modules_that_are_named_decide_nothing(clash: Cuectl) -> None:
    words = ("--module", "one.py", "--module", "three.py")
    assert clash.run("-q", "workflow", "run", "says", *words).status == 7
