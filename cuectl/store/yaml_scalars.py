"""Which plain words of a YAML file are not text.

The rule is that of YAML 1.2, and narrower: `true`, `false`, `null` and numbers as JSON
writes them. `on`, `9:30`, `0644`, `1_000`, `~` and timestamps are text.
"""

from __future__ import annotations

import re

from cuectl.store.yaml_nodes import Kind

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 300
# What YAML 1.1 (PyYAML, Go's yaml.v2, Ruby) takes for something else than text.
_OLD_WORD = re.compile(
    r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|True|TRUE|False|FALSE|Null|NULL|~"
    r"|[-+]?0[0-7_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0b[01_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

Scalar = str | int | float | bool | None


class ScalarProblem(Exception):
    """A plain word that cannot be taken; the text says why."""


def resolve(text: str) -> tuple[Kind, Scalar]:
    """Return what a plain (unquoted) word is, and its value.

    Raises:
        ScalarProblem: a number that no JSON reader could take.
    """
    if text in {"", "null"}:
        return Kind.NULL, None
    if text in {"true", "false"}:
        return Kind.BOOLEAN, text == "true"
    match = _NUMBER.fullmatch(text) if text[0] in "-0123456789" else None
    if match is None:
        return Kind.TEXT, text
    if len(text) > _LONGEST_NUMBER:
        raise ScalarProblem(f"number has more than {_LONGEST_NUMBER} digits")
    if match[1] is None and match[2] is None:
        return Kind.NUMBER, int(text)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ScalarProblem(f"number '{text}' is out of range")
    return Kind.NUMBER, number


def is_misleading(text: str) -> bool:
    """Tell whether YAML 1.1 readers would take this plain text for something else."""
    return _OLD_WORD.fullmatch(text) is not None
