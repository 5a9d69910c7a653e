"""Say in plain words, and at the right place, what a YAML parser complains about."""

from __future__ import annotations

import re
from typing import Any

from cuectl.model.errors import InvalidFile
from cuectl.store.yaml_nodes import shown

_TAB = "a tab stands where YAML wants blanks"
_KEY = "a key, or the end of what is above, is expected here"
_KEY_HINT = "check the indentation and the quotes"

# The beginning of a parser's sentence (libyaml's or PyYAML's own), and what it means.
_MEANINGS = (
    ("mapping values are not allowed", "':' is not expected here", "quote the text around it"),
    ("did not find expected key", _KEY, _KEY_HINT),
    ("did not find expected '-' indicator", _KEY, _KEY_HINT),
    ("expected <block end>", _KEY, _KEY_HINT),
    ("did not find expected node content", "a value is missing here", None),
    ("expected the node content", "a value is missing here", None),
    ("did not find expected ',' or ']'", "',' or ']' is missing here", None),
    ("expected ',' or ']'", "',' or ']' is missing here", None),
    ("did not find expected ',' or '}'", "',' or '}' is missing here", None),
    ("expected ',' or '}'", "',' or '}' is missing here", None),
    ("could not find expected ':'", "':' is missing after a key", None),
    ("block sequence entries are not allowed", "'-' is not expected here", _KEY_HINT),
    ("sequence entries are not allowed", "'-' is not expected here", _KEY_HINT),
    ("found incompatible YAML document", "the YAML version must be 1.1 or 1.2", None),
)


def explain(error: Any, source: str, path: str) -> InvalidFile:
    """Return what a `yaml.YAMLError` means for a reader of the file."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context", None) or ""
    message, hint = _meaning(problem, _character(source, mark))
    if "quoted scalar" in context and "end of stream" in problem:
        message, mark = "this quote is never closed", error.context_mark
    line, column = _place(source, mark)
    return InvalidFile(message, path=path, line=line, column=column, hint=hint)


def _meaning(problem: str, character: str) -> tuple[str, str | None]:
    if "cannot start any token" in problem:
        if character == "\t":
            return _TAB, None
        return f"a text cannot begin with '{shown(character)}'", "put it in quotes"
    if "tab character" in problem or (character == "\t" and "expected" in problem):
        return _TAB, None
    for beginning, message, hint in _MEANINGS:
        if problem.startswith(beginning):
            return message, hint
    return f"not YAML: {problem}", None


def _place(source: str, mark: Any) -> tuple[int, int]:
    """Return line and column from 1; what lies behind the end is at the end."""
    if mark is None:
        return 1, 1
    lines = _lines(source)
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    if mark.line >= len(lines):
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1


def _character(source: str, mark: Any) -> str:
    if mark is None:
        return ""
    lines = _lines(source)
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line[mark.column : mark.column + 1]


def _lines(source: str) -> list[str]:
    # YAML 1.1 parsers count these, and no others, as ends of lines.
    return re.split("\r\n|[\r\n\x85\u2028\u2029]", source)
