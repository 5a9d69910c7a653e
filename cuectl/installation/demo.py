"""A story of three days, told by the program itself in a throw-away home on a clock of its own."""

from __future__ import annotations

import os
import shlex
import subprocess  # noqa: TID251  (no handler: this program, whose answer is shown)
import tempfile
from importlib.resources import files
from typing import TYPE_CHECKING

from cuectl.process.runtime import own_command
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass
from cuectl.values.times import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILES = ("cue.yaml", "audit.sh", "forgetful-audit.sh", "check-followup.sh")
_CREATE = ("create", "--timezone", "America/New_York", "--verification-mode", "require_external_id")
LIMIT_S = 60.0
_EVENING, _NIGHT = "2026-11-20T17:00:00Z", "2026-11-21T07:06:00Z"
_NEXT_NIGHT = "2026-11-22T07:10:00Z"
_AUDIT = ("--name", "audit", "--cron", "0 2 * * *", "--task", "audit")
_FORGETFUL = ("--name", "forgetful-audit", "--cron", "5 2 * * *", "--task", "forgetful-audit")


@dataclass(frozen=True, slots=True)
class Scene:
    """One command of the story, at a time on its clock, and what happens, for people."""

    at: str
    about: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scene, and what the command answered."""

    scene: Scene
    at: int
    status: int
    output: str


STORY = (
    Scene(_EVENING, "In the evening: say how three tasks are done", ("apply", "cue.yaml")),
    Scene(
        _EVENING,
        "An audit at 02:00 in New York; it counts only with an id to show for it",
        (*_CREATE, *_AUDIT),
    ),
    Scene(_EVENING, "And a second one, which will forget its evidence", (*_CREATE, *_FORGETFUL)),
    Scene(_NIGHT, "02:06 in the night: cron calls", ("run-due",)),
    Scene(
        _NEXT_NIGHT,
        "02:10 in the next night: cron calls, and the check that the audit asked for is due",
        ("run-due",),
    ),
    Scene(_NEXT_NIGHT, "What there is, and how it went", ("list",)),
    Scene(_NEXT_NIGHT, "What ran, and whether it is verified", ("executions", "list")),
    Scene(_NEXT_NIGHT, "Exit 0 and nothing to show: found out", ("alerts", "list")),
    Scene(_NEXT_NIGHT, "What the first audit has set off", ("chain", "show", "audit~1")),
    Scene(_NEXT_NIGHT, "All of it, in order", ("log", "-n", "40")),
)


def play(environment: Mapping[str, str]) -> Iterator[Played]:
    """Play the story, a scene at a time, and leave nothing behind; a command that fails raises."""
    with tempfile.TemporaryDirectory(prefix="cuectl-demo-", ignore_cleanup_errors=True) as folder:
        stage = _Stage(folder, environment)
        for scene in STORY:
            status, output = stage.perform(scene)
            yield Played(scene=scene, at=from_text(scene.at), status=status, output=output)
            if status != 0:
                shown = shlex.join(scene.words)
                raise CuectlError(f"'cuectl {shown}' ended with {status}", hint="cuectl doctor")


class _Stage:
    def __init__(self, folder: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._program = f"{folder}/bin/cuectl"
        kept = {name: value for name, value in environment.items() if not name.startswith("CUE")}
        path = f"{folder}/bin{os.pathsep}{environment.get('PATH', os.defpath)}"
        own = {"CUECTL_HOME": f"{folder}/home", "TZ": "America/New_York", "COLUMNS": "100"}
        self._environment = {**kept, **own, "PATH": path}
        for name in _FILES:
            text = (files("cuectl.installation") / "demo_files" / name).read_bytes()
            with open(f"{folder}/{name}", "wb") as file:
                file.write(text)
        os.mkdir(f"{folder}/bin")
        with open(self._program, "w", encoding="utf-8", errors="surrogateescape") as script:
            script.write(f'#!/bin/sh\nexec {shlex.join(own_command())} "$@"\n')
        os.chmod(self._program, 0o700)

    def perform(self, scene: Scene) -> tuple[int, str]:
        done = subprocess.run(
            [self._program, *scene.words],
            cwd=self._folder,
            env={**self._environment, "CUECTL_NOW": to_text(from_text(scene.at))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")
