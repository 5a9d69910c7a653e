"""What shells say of a program that they can't find."""

from __future__ import annotations

import pytest

from cuectl.executions.rules.verdict import missing_program


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("/bin/sh: 1: pg_dump: not found", "pg_dump"),
        ("sh: pg_dump: not found", "pg_dump"),
        ("bash: line 1: pg_dump: command not found", "pg_dump"),
        ("./run.sh: line 12: ./tool: No such file or directory", ""),
        ("zsh:1: command not found: pg_dump", "pg_dump"),
        ("env: 'pg_dump': No such file or directory", "pg_dump"),
        ("/usr/bin/env: \u2018node\u2019: No such file or directory", "node"),
        ("before\nsh: 3: x y: not found\n\n", "x y"),
        ("404: page not found", ""),
        ("", ""),
    ],
)
def test_the_program_that_is_missing(line: str, program: str) -> None:
    assert missing_program(line) == program
