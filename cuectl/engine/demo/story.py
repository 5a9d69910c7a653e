"""A story of three days in a throw-away state directory, on a clock of its own.

Everything in it is done by the program itself, called as a user would call it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cuectl.engine.own_process import own_command
from cuectl.model.errors import CuectlError
from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILES = ("cue.yaml", "audit.sh", "forgetful-audit.sh", "check-followup.sh")
_CREATE = ("create", "--timezone", "America/New_York", "--verification-mode", "require_external_id")
_FIRST_AUDIT = "{first audit}"
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One command of the story.

    Attributes:
        about: what happens, for people.
        at: the time on the clock of the story.
    """

    about: str
    at: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scene, and what the command answered."""

    scene: Scene
    at: int
    status: int
    output: str


_EVENING, _NIGHT, _NEXT_NIGHT = (
    "2026-11-20T17:00:00Z",
    "2026-11-21T07:06:00Z",
    "2026-11-22T07:10:00Z",
)

STORY = (
    Scene(
        about="In the evening: say how three tasks are done",
        at=_EVENING,
        words=("apply", "cue.yaml"),
    ),
    Scene(
        about="An audit at 02:00 in New York; it counts only with an id to show for it",
        at=_EVENING,
        words=(*_CREATE, "--name", "audit", "--cron", "0 2 * * *", "--task", "audit"),
    ),
    Scene(
        about="And a second one, which will forget its evidence",
        at=_EVENING,
        words=(
            *_CREATE,
            *("--name", "forgetful-audit", "--cron", "5 2 * * *", "--task", "forgetful-audit"),
        ),
    ),
    Scene(about="02:06 in the night: cron calls", at=_NIGHT, words=("run-due",)),
    Scene(
        about="02:10 in the next night: cron calls, and the check that the audit asked for is due",
        at=_NEXT_NIGHT,
        words=("run-due",),
    ),
    Scene(about="What there is, and how it went", at=_NEXT_NIGHT, words=("list",)),
    Scene(
        about="What ran, and whether it is believed",
        at=_NEXT_NIGHT,
        words=("executions", "list"),
    ),
    Scene(
        about="Exit 0 and nothing to show: found out",
        at=_NEXT_NIGHT,
        words=("alerts", "list"),
    ),
    Scene(
        about="What the first audit has set off",
        at=_NEXT_NIGHT,
        words=("chain", "show", _FIRST_AUDIT),
    ),
    Scene(about="All of it, in order", at=_NEXT_NIGHT, words=("log", "-n", "40")),
)


def play(environment: Mapping[str, str]) -> Iterator[Played]:
    """Play the story, a scene at a time; nothing of it is left behind.

    Raises:
        CuectlError: a command of the story failed, which must not be.
    """
    with _stage() as folder:
        around = _environment(environment, folder)
        for written in STORY:
            scene = _with_id(written, around, folder)
            status, output = _perform(scene, around, folder)
            yield Played(scene=scene, at=from_text(scene.at), status=status, output=output)
            if status != 0:
                shown = shlex.join(scene.words)
                raise CuectlError(f"'cuectl {shown}' ended with {status}", hint="cuectl doctor")


@contextmanager
def _stage() -> Iterator[str]:
    from importlib.resources import files

    folder = tempfile.mkdtemp(prefix="cuectl-demo-")
    try:
        for name in _FILES:
            text = (files(__package__) / "files" / name).read_bytes()
            with open(f"{folder}/{name}", "wb") as file:
                file.write(text)
        os.mkdir(f"{folder}/bin")
        # The program by its name, however this process was started.
        program = f"{folder}/bin/cuectl"
        with open(program, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(own_command())} "$@"\n')
        os.chmod(program, 0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith("CUE")}
    path = environment.get("PATH", os.defpath)
    return {
        **kept,
        "CUECTL_HOME": f"{folder}/home",
        "PATH": f"{folder}/bin{os.pathsep}{path}",
        "TZ": "America/New_York",
        "COLUMNS": "100",
    }


def _with_id(scene: Scene, around: dict[str, str], folder: str) -> Scene:
    """Return the scene with the id of the first audit in its place."""
    if _FIRST_AUDIT not in scene.words:
        return scene
    import json

    asked = replace(scene, words=("--json", "executions", "list", "--cue", "audit"))
    found = json.loads(_perform(asked, around, folder)[1])
    words = [found[-1]["id"] if word == _FIRST_AUDIT else word for word in scene.words]
    return replace(scene, words=tuple(words))


def _perform(scene: Scene, around: dict[str, str], folder: str) -> tuple[int, str]:
    import subprocess  # noqa: TID251  (no handler: this program, whose answer is shown)

    done = subprocess.run(
        [f"{folder}/bin/cuectl", *scene.words],
        cwd=folder,
        env={**around, "CUECTL_NOW": to_text(from_text(scene.at))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")
