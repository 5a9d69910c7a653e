"""The values that schedulers speak in, and how their tools are run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess  # noqa: TID251  (no handler: a tool whose whole answer is read at once)
from typing import TYPE_CHECKING

from cuectl.process.runtime import pass_program
from cuectl.process.start_failure import start_failure
from cuectl.store import files
from cuectl.store.home import locate
from cuectl.values.errors import CuectlError, Refused
from cuectl.values.records import Record, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIMIT_S = 30.0
WATCH = ("scheduler", "watch", "--quiet")
WATCH_EVERY = 15  # minutes
NOT_THERE = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a program ended; `NOT_THERE` when it could not be started."""

    status: int
    out: bytes
    said: str


def run_program(words: Sequence[str], environment: Mapping[str, str], given: bytes = b"") -> Done:
    """Run a program, its messages in English; CuectlError if it does not end."""
    program = shutil.which(words[0], path=environment.get("PATH", ""))
    if program is None:
        return Done(status=NOT_THERE, out=b"", said=f"'{words[0]}' is not on the PATH")
    try:
        done = subprocess.run(
            [program, *words[1:]],
            input=given,
            capture_output=True,
            env={**environment, "LC_ALL": "C"},
            timeout=LIMIT_S,
            check=False,
        )
    except OSError as error:
        return Done(status=NOT_THERE, out=b"", said=start_failure(error, program))
    except subprocess.TimeoutExpired:
        raise CuectlError(f"'{words[0]}' has not answered for {LIMIT_S:g} s") from None
    said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
    return Done(status=done.returncode, out=done.stdout, said=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Whose scheduler it is, and which state directory it is about."""

    home: str
    environment: Mapping[str, str]

    @property
    def user_home(self) -> str:
        """The home directory of the user."""
        return os.path.dirname(locate(None, {"HOME": self.environment.get("HOME", "")}))

    @property
    def suffix(self) -> str:
        """What tells the names for this state directory from those for `~/.cue`: '' for that."""
        if self.home == f"{self.user_home}/.cue":
            return ""
        digest = hashlib.sha256(self.home.encode("utf-8", "surrogateescape")).hexdigest()
        return f"-{digest[:8]}"

    def program(self) -> tuple[str, ...]:
        """Return the words that start cuectl, absolute; Refused if the start can't be repeated."""
        found = pass_program(self.environment)
        if found is None:
            raise Refused("no installed 'cuectl' was found", hint="install it: pip install cuectl")
        return found

    def variables(self) -> dict[str, str]:
        """Return the variables that passes get; their PATH is ours, with absolute places only."""
        given = self.environment.get("PATH", os.defpath).split(os.pathsep)
        kept = [place for place in given if place.startswith("/") and "\n" not in place]
        path = os.pathsep.join(dict.fromkeys(kept)) or "/usr/bin:/bin"
        return {"PATH": path, "CUECTL_HOME": self.home}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What calls `run-due` for a state directory; each of its faults comes with the way out."""

    scheduler: str
    place: str
    words: tuple[str, ...]
    path: str
    by_hand: bool = False
    is_current: bool = True
    is_watched: bool = False
    faults: tuple[tuple[str, str], ...] = ()

    def to_record(self) -> Record:
        """Return the JSON form."""
        found: Record = {
            "scheduler": self.scheduler,
            "place": self.place,
            "command": list(self.words),
        }
        found |= {"path": self.path, "by_hand": self.by_hand, "current": self.is_current}
        return {**found, "watched": self.is_watched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A text instead of another (None: no text), in a file or `through` a command's input."""

    place: str
    before: bytes | None
    after: bytes | None
    through: tuple[str, ...] = ()

    def to_record(self) -> Record:
        """Return the JSON form."""
        texts = {
            name: None if raw is None else raw.decode("utf-8", "replace")
            for name, raw in (("before", self.before), ("after", self.after))
        }
        return {"type": "write", "place": self.place, **texts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command that is run; `may_fail` when it may have nothing to do."""

    words: tuple[str, ...]
    may_fail: bool = False

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"type": "run", "command": list(self.words)}


Step = Write | Run


def perform(steps: list[Step], environment: Mapping[str, str]) -> None:
    """Do the steps, which bear repetition; CuectlError with what a failed command said."""
    for step in steps:
        match step:
            case Write(through=(_, *_)):
                _must_run(step.through, environment, step.after or b"")
            case Write(after=None):
                files.remove_file(step.place)
            case Write():
                files.make_directory(os.path.dirname(step.place))
                files.replace_file(step.place, step.after or b"", durable=True)
            case Run(may_fail=True):
                run_program(step.words, environment)
            case Run():
                _must_run(step.words, environment)


def _must_run(words: Sequence[str], environment: Mapping[str, str], given: bytes = b"") -> None:
    done = run_program(words, environment, given)
    if done.status != 0:
        message = f"'{' '.join(words)}' failed with {done.status}: {done.said or 'without a word'}"
        raise CuectlError(message)


def is_what(made: Callable[[], object], found: object) -> bool:
    """Tell whether something is what we would write; where we can't tell, it is left alone."""
    try:
        return made() == found
    except Refused:
        return True


def own_file(path: str, mark: bytes) -> bytes | None:
    """Return the content of a file that we write, None without one; CuectlError if not ours."""
    found = files.read_file(path, 1 << 20)
    if found is not None and mark not in found:
        raise CuectlError(f"'{path}' was not written by cuectl", hint="move it away")
    return found
