"""Check a definition text and look at the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.definitions.checks import check_definitions, load_definitions
from cuectl.definitions.fields import ProblemLevel

if TYPE_CHECKING:
    from cuectl.definitions.rules.definitions import Definitions

PATH = "/srv/shop/cue.yaml"


def load(text: str, *, elsewhere: Definitions | None = None) -> Definitions:
    """Return the definitions of a text that is valid."""
    return load_definitions(text, PATH, elsewhere=elsewhere)


def findings(text: str, *, elsewhere: Definitions | None = None) -> list[str]:
    """Return everything that is said of a text, without the directory."""
    _, problems = check_definitions(text, PATH, elsewhere=elsewhere)
    return [problem.text.removeprefix("/srv/shop/") for problem in problems]


def errors(text: str, *, elsewhere: Definitions | None = None) -> list[str]:
    """Return the errors in a text as `line:column: message`; what they are in is invalid."""
    definitions, problems = check_definitions(text, PATH, elsewhere=elsewhere)
    found = [
        f"{problem.line}:{problem.column}: {problem.message}"
        for problem in problems
        if problem.level is ProblemLevel.ERROR
    ]
    assert (definitions is None) == bool(found)
    return found


def hint_of(text: str) -> str | None:
    """Return the hint of the first finding."""
    _, problems = check_definitions(text, PATH)
    return problems[0].hint
