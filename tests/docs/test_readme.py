"""The README does what it shows: its commands run, its story ends as it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.builder import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builder import Cuectl

README = (ROOT / "README.md").read_text(encoding="utf-8")
# Commands that set up the machine, or call the tests themselves.
NOT_HERE = ("make", "pip")


def shell_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)


def commands(block: str) -> list[str]:
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def in_table() -> list[str]:
    rows = [line for line in README.splitlines() if line.startswith("| ") and "`cuectl" in line]
    return [found for row in rows for found in re.findall(r"`(cuectl [^`]*)`", row)]


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in re.findall(r"^make (\w+)$", README, flags=re.MULTILINE):
        assert f"\n{name}:" in makefile
    assert commands(shell_blocks()[0]) == ["make demo"]


def test_every_command_in_the_blocks_runs(cuectl: Cuectl, tmp_path: Path) -> None:
    (cuectl.user / "notes").mkdir()
    inside: list[str] = []
    for block in shell_blocks():
        for line in commands(block):
            words = shlex.split(line)
            if words[0] in NOT_HERE:
                continue
            if words[1] in ("report", "chain"):
                inside.append(line)
                continue
            answer = cuectl.run(*words[1:])
            assert answer.status == 0, (line, answer)
    cuectl.files({"tell-somebody.sh": "#!/bin/sh\n", "out/report.md": "done\n"})
    script = "set -e\n" + "\n".join(inside)
    cuectl.run("create", "--name", "inside", "--", "sh", "-c", script)
    ended = cuectl.run("--json", "fire", "inside", "--wait").json
    assert (ended["status"], ended["external_id"]) == ("succeeded", "run-42"), ended


@pytest.mark.parametrize("line", [one for one in in_table() if " -f" not in one])
def test_every_command_in_the_table_is_known(cuectl: Cuectl, line: str) -> None:
    cuectl.run("create", "--name", "backup", "--", "true")
    cuectl.run("run-due")
    answer = cuectl.run(*shlex.split(line)[1:])
    # An id that is not there, or a scheduler that is not, is an answer; a usage error is none.
    assert answer.status in (0, 4, 5), answer


def test_the_story_of_the_nightly_audit_ends_as_it_says(cuectl: Cuectl) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "examples/nightly-audit/run.sh")],
        env={**cuectl.environment, "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verification_failed: 'forgetful-audit' ran and is not verified" in done.stderr
    after_list = done.stdout.partition("$ cuectl list")[2]
    assert re.search(r"nightly-audit +succeeded +verified_success", after_list)
    assert re.search(r"check-followup-\S+ +succeeded +reported_success", after_list)
    assert re.search(r"1 of \d+ issues addressed", after_list)
    assert after_list.rstrip().splitlines()[-1].startswith("ok: ")
