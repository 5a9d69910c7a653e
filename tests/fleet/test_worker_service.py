"""`scheduler install --worker NAME`: systemd keeps a worker running."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.schedulers import StandIns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

FORKED = True
INSTALL = ("scheduler", "install", "--worker", "farm")
WORDS = ("--", "--config", "my worker.yaml", "--url", "redis://control.lan/0", "--labels", "a,$b%")


@pytest.fixture
def systemd(tmp_path: Path, cuectl: Cuectl) -> StandIns:
    return StandIns(tmp_path / "stand-ins", cuectl, "systemctl")


def test_it_is_written_kept_and_taken_away(cuectl: Cuectl, systemd: StandIns) -> None:
    unit = cuectl.user / ".config/systemd/user/cuectl-worker-farm.service"
    cuectl.run(*INSTALL, "--dry-run", *WORDS)
    assert not unit.exists()
    done = cuectl.json(*INSTALL, "--yes", *WORDS)
    assert (done["scheduler"], done["changed"]) == ("systemd-service", True)
    name = "cuectl-worker-farm.service"
    assert systemd.calls() == ["--user daemon-reload", f"--user enable --now {name}"]
    lines = unit.read_text().splitlines()
    (started,) = (line.partition("=")[2] for line in lines if line.startswith("ExecStart="))
    assert started.startswith(":")
    words = [word.replace("%%", "%") for word in shlex.split(started[1:])]
    assert words == [f"{cuectl.programs}/cuectl", "executors", "worker", "farm", *WORDS[1:]]
    for line in (f"WorkingDirectory={cuectl.work}", "KillMode=process", "Restart=always"):
        assert line in lines
    assert not any("FLEET" in line for line in lines)
    assert cuectl.json(*INSTALL, "--yes", *WORDS)["changed"] is False
    cuectl.json(*INSTALL, "--yes", *WORDS, "--concurrency", "2")
    assert systemd.calls()[-1] == f"--user restart {name}"
    removed = cuectl.json("scheduler", "remove", "--worker", "farm", "--yes")
    assert removed["schedulers"] == ["systemd-service"]
    assert not unit.exists()
    assert cuectl.json("scheduler", "remove", "--worker", "farm", "--yes")["changed"] is False


def test_what_is_missing_is_told_before_anything_is_written(
    cuectl: Cuectl, systemd: StandIns
) -> None:
    hint = "scheduler install --worker farm -- --config FILE --url URL"
    cuectl.run(*INSTALL).fails(2, "the worker lacks '--config'", hint)
    cuectl.run(*INSTALL, "--", "--config=w.yaml").fails(2, "the worker lacks '--url'", hint)
    cuectl.run("scheduler", "install", "--", "x").fails(
        2, "what follows '--' is for '--worker NAME'"
    )
    assert systemd.calls() == []
