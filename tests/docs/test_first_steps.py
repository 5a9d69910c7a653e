"""The README's five lines, run as a new user: to a proven, chained job whose failure is mailed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.builder import ROOT
from tests.fixtures.schedulers import CRONTAB

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
EVENING, NEXT_MINUTE, MORNING = (
    f"2026-11-{at}Z" for at in ("20T20:00:00", "20T20:01:00", "21T07:00:30")
)
INSTALLED = re.compile(r"Successfully installed .*cuectl")


def the_lines() -> list[str]:
    block = README.partition("## Five lines")[2].partition("```console\n")[2]
    return [line.removeprefix("$ ") for line in block.partition("```")[0].splitlines() if line]


class NewUser:
    """An account on which nothing was done yet; cron and its mail are stood in for."""

    def __init__(self, folder: Path, programs: str) -> None:
        tools = folder / "tools"
        tools.mkdir()
        crontab = tools / "crontab"
        crontab.write_text(CRONTAB.format(folder=folder))
        crontab.chmod(0o755)
        self.folder = folder
        self.home = folder / "ana"
        self.home.mkdir()
        path = f"{tools}:{programs}:/usr/bin:/bin"
        self.environment = {"HOME": str(self.home), "PATH": path, "TZ": "UTC", "LANG": "C.UTF-8"}

    def types(self, *lines: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-ec", "\n".join(lines)], cwd=self.home, capture_output=True, text=True,
            env=self.environment | {"CUECTL_NOW": EVENING}, stdin=subprocess.DEVNULL, check=False,
            timeout=100,
        )  # fmt: skip

    def cron_calls(self, now: str) -> str:
        """Do what cron does in a minute, with its small environment; return what it mails."""
        crontab = (self.folder / "crontab.txt").read_text()
        (line,) = [one for one in crontab.splitlines() if one.startswith("* * * * * ")]
        small = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TZ": "UTC"}
        done = subprocess.run(
            ["/bin/sh", "-c", line.removeprefix("* * * * * ").replace("\\%", "%")],
            cwd=self.home, env=small | {"CUECTL_NOW": now}, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=100,
        )  # fmt: skip
        return done.stdout

    def asks(self, *words: str) -> dict[str, dict[str, str]]:
        found = self.types(f"cuectl --json {' '.join(words)}")
        assert found.returncode == 0, found.stderr
        return {one["name"]: one for one in json.loads(found.stdout)}


def leads_to_a_mail(ana: NewUser) -> None:
    """Run all lines but the one that installs, and the two minutes of cron that matter."""
    done = ana.types(*the_lines()[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ disk verified" in done.stderr
    assert "check-disk" in done.stdout

    assert ana.cron_calls(NEXT_MINUTE) == ""
    cues = ana.asks("list")
    assert cues["disk"]["last_status"] == "succeeded"
    assert cues["check-disk"]["last_status"] == "succeeded"

    (ana.home / "disk.txt").unlink()
    (ana.home / "disk.txt").mkdir()
    mail = ana.cron_calls(MORNING)
    assert "'disk'" in mail
    assert "failed" in mail
    assert ana.asks("list")["disk"]["last_status"] == "failed"


def test_there_are_five() -> None:
    assert len(the_lines()) == 5
    assert the_lines()[0] == "git clone REPOSITORY cuectl && pipx install ./cuectl"
    assert len(README.splitlines()) <= 120


def test_they_lead_to_a_proven_and_chained_job_whose_failure_is_mailed(
    tmp_path: Path, programs: Path
) -> None:
    leads_to_a_mail(NewUser(tmp_path, str(programs)))


@pytest.mark.clients
@pytest.mark.timeout(600)
def test_so_they_do_when_it_is_installed_as_the_first_one_does(tmp_path: Path) -> None:
    """A virtual environment stands for pipx, which makes one, and a copy for the clone."""
    source = tmp_path / "cuectl"
    source.mkdir()
    copied = "cuectl man pyproject.toml README.md LICENSE".split()
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in copied), str(source)], check=True)
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
    environment = {**kept, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    script = f"python3 -m venv {tmp_path}/venv && {tmp_path}/venv/bin/pip install ./cuectl"
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False, timeout=500,
    )  # fmt: skip
    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        pytest.skip("the package registry is not reachable")
    assert INSTALLED.search(done.stdout), done.stdout + done.stderr
    leads_to_a_mail(NewUser(tmp_path, str(tmp_path / "venv" / "bin")))
