"""What people type first, and where it leads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.cli.frame import registry
from cuectl.cli.frame.parse import SYNONYMS

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def test_synonyms_lead_to_commands_that_are_there() -> None:
    asked = set("rm show add run enable disable stop start ps".split())
    assert asked <= set(SYNONYMS)
    assert set(SYNONYMS.values()) <= set(registry.COMMANDS)
    assert "logs" in registry.COMMANDS
    assert not set(SYNONYMS) & set(registry.COMMANDS)


def test_what_other_tools_call_it(cuectl: Cuectl) -> None:
    hint = "did you mean 'cuectl delete'? all commands: cuectl --help"
    cuectl.run("rm", "backup").fails(2, "no command 'rm'", hint)
    hint = "did you mean 'cuectl executions list'? all commands: cuectl executions --help"
    cuectl.run("executions", "ls").fails(2, "no command 'ls'", hint)


@pytest.mark.parametrize("before", [("create", "--name", "x"), ("update", "x"), ("next",)])
def test_an_unquoted_cron(cuectl: Cuectl, before: tuple[str, ...]) -> None:
    """As the shell leaves it: five words, or names of files."""
    hint = "put the expression in quotes: --cron '0 2 * * *'"
    for words in (["0", "2", "*", "*", "*"], ["README.md", "cue.yaml", "out"]):
        answer = cuectl.run(*before, "--cron", *words)
        assert (answer.status, answer.stderr.splitlines()[-1]) == (2, f"hint: {hint}")
    assert "quotes" not in cuectl.run(*before, "--cron", "0 2 * * *", "a", "b").stderr


@pytest.mark.parametrize("topic", ["agents", "events", "filters", "templates"])
def test_the_page_about_a_subject(cuectl: Cuectl, topic: str) -> None:
    assert cuectl.run("help", topic).stdout.startswith(f"CUECTL-{topic.upper()}(7)")
    assert cuectl.run("help", f"{topic}(1)").stdout.startswith(f"CUECTL-{topic.upper()}(1)")


def test_a_quiet_status_is_its_exit_status(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    cuectl.run("status", "--quiet", "--max-age", "5m").gives(status=4)
    cuectl.run("run-due")
    cuectl.run("status", "-q").gives()
    assert cuectl.run("status", "-q", "--json").json["cues"] == 1


def test_status_names_the_file_that_is_broken(cuectl: Cuectl) -> None:
    cuectl.run("run-due")
    own = cuectl.home / "cue.yaml"
    own.write_text("handlers: 5\n")
    found = {one["code"]: one for one in cuectl.run("--json", "status").json["findings"]}
    assert found["definitions_broken"]["message"] == (
        "a file is invalid, so the version you applied last is still used: "
        f"{own}:1:11: 'handlers' must be a mapping of names, not 5"
    )
    assert found["definitions_broken"]["hint"] == f"check it with: cuectl validate {own}"
    own.unlink()
