"""The README does what it shows: its commands run, its story ends as it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

README = (ROOT / "README.md").read_text(encoding="utf-8")


def in_table() -> list[str]:
    rows = [line for line in README.splitlines() if line.startswith("| ") and "`cuectl" in line]
    return [found for row in rows for found in re.findall(r"`(cuectl [^`]*)`", row)]


@pytest.mark.parametrize("target", ["demo", "pictures"])
def test_what_it_calls_of_the_makefile_is_there(target: str) -> None:
    assert f"`make {target}`" in README
    assert f"\n{target}: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|s(?:rcset|rc)=\"([^\"]+)\"", README)
    assert len(links) > 5
    for found in links:
        assert (ROOT / "".join(found)).exists(), found


@pytest.mark.parametrize("line", in_table())
def test_every_command_in_the_table_works(cuectl: Cuectl, line: str) -> None:
    cuectl.files({"cue.yaml": "handlers: {audit: python3 audit.py}\n"})
    cuectl.run("create", "--name", "disk", "--", "true")
    cuectl.run("fire", "disk")
    cuectl.run("run-due")
    if "undelete" in line:
        cuectl.run("delete", "disk", "--yes")
    answer = cuectl.run(*shlex.split(line)[1:])
    # That there is something to see to, and that ID is no id, are answers; a usage error is none.
    assert answer.status in (0, 4, 5), answer
    assert answer.status != 5 or "ID" in line


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
    assert "verification_failed: 'forgetful-audit' is unproven" in done.stderr
    after_list = done.stdout.partition("$ cuectl list")[2]
    assert re.search(r"✓ nightly-audit +verified", after_list)
    assert re.search(r"check-followup-\S+ +passed", after_list)
    assert re.search(r"1 of \d+ issues addressed", after_list)
    assert "\033" not in done.stdout
    assert after_list.rstrip().splitlines()[-1].startswith("ok: ")
