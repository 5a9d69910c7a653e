"""The commands that belong to the frame: version, completion, help."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cuectl.cli.frame.registry import VERSION

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def test_the_version_is_the_same_everywhere(cuectl: Cuectl) -> None:
    import tomllib

    from tests.fixtures.builder import ROOT

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION
    cuectl.run("--version").gives(f"cuectl {VERSION}\n")
    cuectl.run("version", "--version").gives(f"cuectl {VERSION}\n")
    assert cuectl.json("version")["cuectl"] == VERSION


def test_version_prints_versions_and_paths(cuectl: Cuectl) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    program, home = cuectl.programs / "cuectl", cuectl.home
    rows = [
        ("cuectl", VERSION),
        ("python", python),
        ("platform", sys.platform),
        ("state_format", "2"),
        ("home", str(home)),
        ("program", str(program)),
        ("interpreter", sys.executable),
    ]

    cuectl.run("version").gives("".join(f"{key + ':':<13} {text}\n" for key, text in rows))
    header = "\t".join(key for key, _ in rows)
    values = "\t".join(text for _, text in rows)
    cuectl.run("version", "--plain").gives(f"{header}\n{values}\n")
    assert not home.exists()


def test_the_home_comes_from_the_option_then_the_variable(cuectl: Cuectl) -> None:
    cuectl.env(CUECTL_HOME="/somewhere")

    assert cuectl.json("version")["home"] == "/somewhere"
    assert cuectl.json("version", "--home", "else")["home"] == str(cuectl.work / "else")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(cuectl: Cuectl, shell: str) -> None:
    answer = cuectl.run("completion", shell)

    assert (answer.stderr, answer.status) == ("", 0)
    assert f"_CUECTL_COMPLETE={shell}_complete" in answer.stdout
    assert cuectl.env(SHELL=f"/usr/bin/{shell}").run("completion").stdout == answer.stdout


def test_completion_for_no_known_shell_asks_which(cuectl: Cuectl) -> None:
    hint = "name one: cuectl completion bash | zsh | fish"
    cuectl.run("completion").fails(2, "which shell?", hint)


def completed(cuectl: Cuectl, line: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    script = cuectl.run("completion", "bash").stdout
    words = line.split(" ")
    code = (
        f"{script}\nCOMP_WORDS=({' '.join(words[:-1])} {words[-1]!r}); "
        f"COMP_CWORD={len(words) - 1}; _cuectl_completion cuectl; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code], env=cuectl.environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_values(cuectl: Cuectl) -> None:
    assert completed(cuectl, "cuectl vers") == ["version"]
    assert "--home" in completed(cuectl, "cuectl version --h")
    assert completed(cuectl, "cuectl completion z") == ["zsh"]
    assert completed(cuectl, "cuectl help exit") == ["exit-codes"]
    assert completed(cuectl, "cuectl version --color a") == ["auto", "always"]


def test_bash_completes_what_the_store_has(cuectl: Cuectl) -> None:
    assert completed(cuectl, "cuectl fire ") == []
    cuectl.run("create", "--name", "backup", "--cron", "0 2 * * *", "--", "true")
    cuectl.run("create", "--name", "audit", "--task", "audit")

    assert completed(cuectl, "cuectl fire ") == ["audit", "backup"]
    assert completed(cuectl, "cuectl fire b") == ["backup"]
    assert "Europe/Berlin" in completed(cuectl, "cuectl create --timezone Europe/")
    cuectl.run("fire", "backup")
    offered = completed(cuectl, "cuectl cancel ")
    assert "backup" in offered
    assert [word for word in offered if word.startswith("exec_")]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_commands_and_what_the_store_has(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "backup", "--", "true")
    script = cuectl.user / "cuectl.fish"
    script.write_text(cuectl.run("completion", "fish").stdout)

    def offered(line: str) -> list[str]:
        fish = shutil.which("fish")
        assert fish is not None
        done = subprocess.run(
            [fish, "--no-config", "-c", f"source {script}; complete -C '{line}'"],
            env=cuectl.environment, capture_output=True, text=True, check=True, timeout=100,
        )  # fmt: skip
        return [found.split("\t")[0] for found in done.stdout.splitlines()]

    assert offered("cuectl vers") == ["version"]
    assert offered("cuectl fire b") == ["backup"]
    assert "--merge" in offered("cuectl fire --m")


def test_a_command_with_members_completes_both(cuectl: Cuectl) -> None:
    assert "--when" in completed(cuectl, "cuectl chain --w")
    assert completed(cuectl, "cuectl alerts a") == ["ack"]


def test_help_without_a_topic_is_the_help_of_the_program(cuectl: Cuectl) -> None:
    assert cuectl.run("help").stdout == cuectl.run("--help").stdout


@pytest.mark.parametrize(
    ("topic", "title"),
    [
        ("completion", "CUECTL-COMPLETION(1)"),
        ("cuectl-completion", "CUECTL-COMPLETION(1)"),
        ("cuectl", "CUECTL(1)"),
        ("exit-codes", "CUECTL-EXIT-CODES(7)"),
        ("cue.yaml", "CUE.YAML(5)"),
    ],
)
def test_help_prints_the_page_of_a_command_or_topic(cuectl: Cuectl, topic: str, title: str) -> None:
    answer = cuectl.run("help", topic)

    assert (answer.stderr, answer.status) == ("", 0)
    assert answer.stdout.splitlines()[0].split() == [title, title]
    assert answer.stdout.count("\nNAME\n") == 1


def test_help_on_nothing_known_names_the_nearest(cuectl: Cuectl) -> None:
    message = "there is no manual page 'exit-code'"
    cuectl.run("help", "exit-code").fails(5, message, "did you mean 'exit-codes'?")
