"""What a program lacks that could not be started is named."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from cuectl.process.start_failure import missing_for, start_failure

if TYPE_CHECKING:
    from pathlib import Path


LOST = "No such file or directory: '/no/such', the interpreter of '{}'"
CRLF = "Windows line ends (CRLF) in '{}', behind its interpreter "
NONE = "Exec format error: '{}' does not begin with '#!' and an interpreter"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"#!/no/such -x\necho\n", LOST),
        (b"#! /no/such\r\n", LOST),
        (b"#!/bin/sh\r\necho\r\n", f"{CRLF}'/bin/sh'"),
        (b"#!/usr/bin/env sh\r\n", f"{CRLF}'/usr/bin/env'"),
        (b"\xef\xbb\xbf#!/bin/sh\n", NONE),
        (b"#!\n", NONE),
        (b"", NONE),
        (b"#!/bin/sh\n", ""),
        (b"\x7fELF\x02\x01\x01\x00", ""),
    ],
)
def test_what_a_script_lacks(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "script"
    path.write_bytes(data)
    path.chmod(0o755)

    assert missing_for(str(path)) == said.format(path)


def test_the_interpreter_may_be_a_script_that_lacks_something(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("#!/no/such\n")
    outer.write_text(f"#!{inner}\n")
    for path in (inner, outer):
        path.chmod(0o755)

    assert missing_for(str(outer)).startswith("No such file or directory: '/no/such'")


def test_modes_and_paths(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    denied = OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", "tool")
    long = OSError(errno.E2BIG, "Argument list too long", str(path))

    assert start_failure(denied, "x") == f"Permission denied: '{path}' is not executable"
    assert start_failure(gone, "x", "/usr/bin:/bin") == (
        "command not found: 'tool' on the PATH '/usr/bin:/bin' (compare: cuectl doctor)"
    )
    # What is no program, such as a log, is not looked for on any PATH.
    assert start_failure(gone, "x") == "No such file or directory: 'tool'"
    assert start_failure(long, "x") == f"Argument list too long: '{path}'"
