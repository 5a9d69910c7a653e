"""Checking a definition file: everything that is wrong with it, nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.apply import merged, others_than, preview
from cuectl.model.errors import CuectlError, InvalidFile
from cuectl.model.values import dataclass
from cuectl.store.definition_checks import check_definitions
from cuectl.store.definition_problems import Level, Problem
from cuectl.store.definition_sources import read_source
from cuectl.store.reading import open_reader

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.definitions import Definitions

_SECTIONS = (
    ("handlers", "handler"),
    ("agents", "agent"),
    ("queues", "queue"),
    ("cues", "cue"),
    ("subscriptions", "subscription"),
    ("alerts", "alert sink"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found.

    Attributes:
        problems: in the order of the file.
        definitions: None when the file is not valid.
    """

    problems: tuple[Problem, ...]
    definitions: Definitions | None

    @property
    def is_valid(self) -> bool:
        """Whether it can be applied."""
        return not any(problem.level is Level.ERROR for problem in self.problems)

    @property
    def summary(self) -> str:
        """How many of which things it defines."""
        if self.definitions is None:
            return ""
        counts = []
        for section, word in _SECTIONS:
            if count := len(getattr(self.definitions, section)):
                counts.append(f"{count} {word}{'s' if count > 1 else ''}")
        return ", ".join(counts) or "nothing is defined"


def check_file(runtime: Runtime, path: str) -> Checked:
    """Return what is to be said about a definition file.

    Raises:
        NotFound: there is no such file.
        InvalidFile: it can't be read at all.
    """
    source = read_source(path)
    reader = open_reader(runtime.existing_store)
    elsewhere = merged(others_than(reader, source.path, reader.home))
    definitions, problems = check_definitions(source.data, path, elsewhere=elsewhere)
    if definitions is not None:
        problems = [*problems, *_of_the_store(runtime, path)]
    return Checked(problems=tuple(problems), definitions=definitions)


def _of_the_store(runtime: Runtime, path: str) -> list[Problem]:
    """Return what only taking the file over would show: a name that is taken, a past time."""
    try:
        preview(runtime, path)
    except CuectlError as error:
        message = error.message
        if isinstance(error, InvalidFile):
            message = message.removeprefix(f"{path}: ")
        problem = Problem(
            path=path, line=1, column=1, level=Level.ERROR, message=message, hint=error.hint
        )
        return [problem]
    return []
