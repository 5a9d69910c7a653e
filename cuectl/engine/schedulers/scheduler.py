"""What every scheduler can say and do, and the values that it speaks in."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Protocol

from cuectl.engine.own_process import pass_program
from cuectl.engine.schedulers.programs import must_run, run_program
from cuectl.model.errors import CuectlError, Refused
from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.home import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Record = dict[str, Any]


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
        """Return the words that start cuectl, all paths absolute.

        Raises:
            Refused: it was started in a way that nobody can repeat.
        """
        found = pass_program(self.environment)
        if found is None:
            raise Refused("no installed 'cuectl' was found", hint="install it: pip install cuectl")
        return found

    def search_path(self) -> str:
        """Return the PATH that passes get: this one, without what depends on a directory."""
        given = self.environment.get("PATH", os.defpath).split(os.pathsep)
        kept = [place for place in given if place.startswith("/") and "\n" not in place]
        return os.pathsep.join(dict.fromkeys(kept)) or "/usr/bin:/bin"

    def variables(self) -> dict[str, str]:
        """Return the variables that passes get."""
        return {"PATH": self.search_path(), "CUECTL_HOME": self.home}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Something that calls `run-due` for a state directory.

    Attributes:
        place: where it stands: `crontab`, or a file.
        words: program and arguments.
        path: the PATH of its passes.
        by_hand: whether it is a line that somebody wrote.
        is_current: whether it is what `install` would write now.
        faults: why it does not do its work, each with the way out.
    """

    scheduler: str
    place: str
    words: tuple[str, ...]
    path: str
    by_hand: bool = False
    is_current: bool = True
    faults: tuple[tuple[str, str], ...] = ()

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {
            "scheduler": self.scheduler,
            "place": self.place,
            "command": list(self.words),
            "path": self.path,
            "by_hand": self.by_hand,
            "current": self.is_current,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A text that is put somewhere.

    Attributes:
        place: a file, or `crontab`.
        before: what stands there, None for nothing.
        after: what is to stand there, None for nothing.
        through: the command that takes `after` on its standard input, in place of a file.
    """

    place: str
    before: bytes | None
    after: bytes | None
    through: tuple[str, ...] = ()

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {
            "type": "write",
            "place": self.place,
            "before": _text(self.before),
            "after": _text(self.after),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command that is run.

    Attributes:
        may_fail: whether its failure means nothing, as it may have nothing to do.
    """

    words: tuple[str, ...]
    may_fail: bool = False

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"type": "run", "command": list(self.words)}


Step = Write | Run


class Scheduler(Protocol):
    """One way to be called each minute."""

    name: str

    def unavailable(self) -> str | None:
        """Return why it can't be used here, None when it can."""

    def installed(self) -> Installed | None:
        """Return what calls `run-due` for this state directory, if it does.

        Raises:
            CuectlError: nobody can tell.
        """

    def installation(self) -> list[Step]:
        """Return what is to be done so that it does; nothing when all is as it should be.

        Raises:
            CuectlError: it can't, or somebody else's text stands in the way.
        """

    def removal(self) -> list[Step]:
        """Return what is to be done so that it does not any more.

        Raises:
            CuectlError: somebody else's text stands in the way.
        """


def perform(steps: list[Step], environment: Mapping[str, str]) -> None:
    """Do it; whoever is interrupted does it again.

    Raises:
        CuectlError: a command failed; the message has what it said.
        OSError: a file could not be written.
    """
    for step in steps:
        match step:
            case Write(through=(_, *_)):
                must_run(step.through, environment, step.after or b"")
            case Write(after=None):
                files.remove_file(step.place)
            case Write():
                files.make_directory(os.path.dirname(step.place))
                files.replace_file(step.place, step.after or b"", durable=True)
            case Run(may_fail=True):
                run_program(step.words, environment)
            case Run():
                must_run(step.words, environment)


def is_what(made: Callable[[], object], found: object) -> bool:
    """Tell whether something is what we would write; where we can't tell, it is left alone."""
    try:
        return made() == found
    except Refused:
        return True


def own_file(path: str, mark: bytes) -> bytes | None:
    """Return the content of a file that we write, None when there is none.

    Raises:
        CuectlError: somebody else's file has the name.
    """
    found = files.read_file(path, 1 << 20)
    if found is not None and mark not in found:
        raise CuectlError(f"'{path}' was not written by cuectl", hint="move it away")
    return found


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
