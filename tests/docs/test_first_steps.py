"""The README's way from a fresh clone to a nightly job in cron: its very commands, run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.builder import ROOT
from tests.schedulers import CRONTAB

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST = 8

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


def the_commands() -> list[str]:
    block = README.partition("## From a fresh clone")[2].partition("```console\n")[2]
    return [line.removeprefix("$ ") for line in block.partition("```")[0].splitlines() if line]


def environment(tmp_path: Path) -> dict[str, str]:
    """Return that of a new user, with a stand-in for `crontab`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    crontab = tools / "crontab"
    crontab.write_text(CRONTAB.format(folder=tmp_path))
    crontab.chmod(0o755)
    home = tmp_path / "user"
    (home / "notes").mkdir(parents=True)
    (home / "notes" / "today.txt").write_text("remember the milk\n")
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
    python = os.path.dirname(os.path.realpath(subprocess.check_output(
        ["python3", "-c", "import sys; print(sys.executable)"], text=True).strip()))  # fmt: skip
    path = f"{tools}:{python}:/usr/bin:/bin"
    return {**kept, "HOME": str(home), "PATH": path, "TZ": "UTC", "LANG": "C.UTF-8"}


def test_there_are_eight_at_the_most() -> None:
    assert 0 < len(the_commands()) <= MOST


def test_they_lead_to_a_verified_and_chained_job_that_cron_calls(tmp_path: Path) -> None:
    around = environment(tmp_path)
    clone, *rest = the_commands()
    assert clone.startswith("git clone ")
    source = tmp_path / "work"
    source.mkdir()
    # In place of the network: a clone of what is here, as it is committed or not.
    copied = "cuectl bin man pyproject.toml README.md LICENSE".split()
    target = source / shlex.split(clone)[-1]
    target.mkdir()
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in copied), str(target)], check=True)

    done = subprocess.run(
        ["bash", "-ec", "\n".join(rest)], cwd=source, env=around, capture_output=True, text=True,
        check=False, timeout=500,
    )  # fmt: skip

    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        pytest.skip("the package registry is not reachable")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified_success" in done.stdout.splitlines()[-1]

    # What cron does then, with its own small environment.
    crontab = (tmp_path / "crontab.txt").read_text()
    (line,) = [one for one in crontab.splitlines() if one.startswith("* * * * * ")]
    settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", crontab, flags=re.MULTILINE))
    small = {"HOME": around["HOME"], "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TZ": "UTC"}
    command = line.removeprefix("* * * * * ").replace("\\%", "%")
    said = subprocess.run(
        ["/bin/sh", "-c", command], env=small | settings, capture_output=True, text=True,
        check=True, timeout=200,
    )  # fmt: skip
    assert said.stdout == ""
    listed = subprocess.run(
        [f"{around['HOME']}/.cuectl-venv/bin/cuectl", "--plain", "list"],
        env=around, capture_output=True, text=True, check=True, timeout=100,
    ).stdout  # fmt: skip
    rows = {row.split("\t")[0]: row for row in listed.splitlines()}
    assert "succeeded" in rows["check-backup"], listed
    assert "succeeded" in rows["backup"], listed
