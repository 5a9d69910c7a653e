"""Every example of cuectl-procedures(7) does what the page says."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.builder import Answer, Cuectl

PAGE = (files("cuectl.cli.manual") / "topics" / "cuectl-procedures.7.md").read_text()
SECTIONS = {
    int(found[1]): found[2]
    for found in re.finditer(r"^# (\d+)\. [^\n]+\n(.*?)(?=^# )", PAGE, re.MULTILINE | re.DOTALL)
}
AGENT = """\
agents:
  default: {driver: command, cmd: [cat]}
workflows: [flow.py]
"""


def code_of(section: int) -> str:
    blocks = re.findall(r"^```\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "@workflow" in block)
    return str(code)


class Author:
    """A user who has put an example of the page into a file."""

    def __init__(self, cuectl: Cuectl, section: int) -> None:
        self.cuectl = cuectl
        self.code = code_of(section)
        self.name = re.findall(r"@workflow\nasync def (\w+)", self.code)[0]
        # Edits within a second, of the same length, would be taken for none by Python's cache.
        cuectl.env(PYTHONDONTWRITEBYTECODE="1")
        cuectl.files({"cue.yaml": AGENT, "flow.py": self.code})
        assert cuectl.run("apply", "cue.yaml").status == 0

    def edit(self, old: str, new: str) -> None:
        """Change the example."""
        assert old in self.code
        self.code = self.code.replace(old, new)
        self.cuectl.files({"flow.py": self.code})

    def run(self, *words: str) -> Answer:
        """Run the example."""
        return self.cuectl.run("workflow", "run", self.name, *words)

    def workflow(self, *words: str) -> Answer:
        """Run another command of workflows."""
        return self.cuectl.run("workflow", *words)

    def shown(self) -> Any:
        """Return the newest run."""
        return self.cuectl.json("workflow", "runs")[0]

    def text(self, name: str) -> str:
        """Return a file that the example has written."""
        return (self.cuectl.work / name).read_text()


EXAMPLES: dict[int, Callable[[Author], None]] = {}


def example(function: Callable[[Author], None]) -> Callable[[Author], None]:
    EXAMPLES[len(EXAMPLES) + 1] = function
    return function


@example
def race(author: Author) -> None:
    assert author.run().stdout == '["0.1"]\n'
    assert author.workflow("replay", "last").status == 0


@example
def edited(author: Author) -> None:
    lint = '    if engine.patched("lint first"):\n        await engine.bash("echo lint")\n'
    author.edit(lint, "")
    assert author.run().status == 4
    # The old run keeps the old way, a new one lints.
    author.edit("    await engine.ask_human", f"{lint}    await engine.ask_human")
    assert author.workflow("check", "--runs").status == 0
    author.edit("echo build", "echo compile")
    assert author.workflow("check", "--runs").status == 7
    author.edit("echo compile", "echo build")
    author.workflow("answer", "last", "yes")
    assert author.workflow("resume", "last").stdout == "shipped\n"


@example
def parked(author: Author) -> None:
    assert author.run().status == 4
    author.edit("echo one", "echo two")
    held = author.workflow("resume", "last")
    assert held.status == 1
    assert 'was bash(cmd="echo one") and is now bash(cmd="echo two")' in held.stderr
    assert "flow.py:" in held.stderr
    assert author.shown()["status"] == "waiting"
    assert author.workflow("cancel", "last").status == 0
    assert author.shown()["status"] == "cancelled"


@example
def named(author: Author) -> None:
    assert author.run().status == 0
    assert author.workflow("replay", "last").status == 0


@example
def rounds(author: Author) -> None:
    assert author.run("--count=2").stdout == '["dear 0", "dear 1"]\n'
    assert author.workflow("replay", "last").status == 0


@example
def notes(author: Author) -> None:
    author.cuectl.files({"sums": "1.10\n2.20\n"})
    assert author.run("--path=sums").stdout == "3.30\n"


@example
def book(author: Author) -> None:
    assert author.run().stdout == '{"pages": 12}\n'


@example
def tidy(author: Author) -> None:
    assert author.run().status == 4
    assert author.text("marks") == "open\n"
    author.workflow("answer", "last", "yes")
    assert author.workflow("resume", "last").stdout == "yes\n"
    assert author.text("marks") == "open\nclosed\n"


@example
def order(author: Author) -> None:
    assert author.run().status == 4
    author.workflow("answer", "last", "yes")
    assert author.workflow("resume", "last").stdout == "RuntimeError: no truck for 7\n"
    assert author.text("charges") == "ada 1250\n"


@example
def deploy(author: Author) -> None:
    assert author.run().status == 3
    author.cuectl.files({"ready": ""})
    # Going on without going back meets the same end.
    assert author.workflow("resume", "last").status == 3
    assert author.workflow("resume", "last", "--rerun", "3").stdout == "deployed\n"
    assert author.text("marks") == "built\ntested\n"
    assert author.workflow("fork", "last", "--from", "2", "--yes").stdout == "deployed\n"
    assert author.text("marks") == "built\ntested\ntested\n"


@example
def reviewed(author: Author) -> None:
    author.edit(
        '"echo pull request opened"',
        '"cuectl emit review.done --payload \'{\\"by\\": \\"ada\\"}\'"',
    )
    assert author.run("--wait").stdout == "ada\n"


@example
def either(author: Author) -> None:
    assert author.run().status == 4
    assert author.cuectl.run("emit", "build.failed").status == 0
    assert author.workflow("resume", "last").stdout == "failed\n"


@example
def thrifty(author: Author) -> None:
    assert author.run().status == 0
    assert author.shown()["turns"] == 2


def test_the_page_has_thirteen_ways_and_each_has_an_example() -> None:
    assert sorted(SECTIONS) == sorted(EXAMPLES) == list(range(1, 14))


@pytest.mark.parametrize("section", EXAMPLES, ids=lambda section: EXAMPLES[section].__name__)
def test_an_example_does_what_the_page_says(cuectl: Cuectl, section: int) -> None:
    EXAMPLES[section](Author(cuectl, section))
