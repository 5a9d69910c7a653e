"""Reading outputs: the whole, the end, and files with a hole in the middle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.executions.lookup import chunks
from cuectl.store.output import pieces, start_of_tail
from cuectl.values.safe_text import Masker

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, data: bytes) -> str:
    path = folder / "exec_x.out"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_000_000])
def test_pieces_are_the_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)

    assert b"".join(pieces(write(tmp_path, data))) == data


@pytest.mark.parametrize("data", [b"", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n", b"x" * 600_000])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_tail_is_the_last_lines(tmp_path: Path, data: bytes, count: int) -> None:
    path = write(tmp_path, data)
    expected = b"".join(data.splitlines(keepends=True)[-count:]) if count else b""

    assert b"".join(chunks(path, None, count)) == expected
    if count:
        assert start_of_tail(path, count) == len(data) - len(expected)


def test_a_tail_over_many_pieces(tmp_path: Path) -> None:
    lines = [f"{number} {'x' * 1000}\n".encode() for number in range(2000)]
    path = write(tmp_path, b"".join(lines))

    assert b"".join(chunks(path, None, 700)) == b"".join(lines[-700:])


def test_a_hole_is_told_and_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"head\n")
    with open(path, "r+b") as file:
        file.seek(1 << 30)
        file.write(b"tail\n")

    text = b"".join(pieces(path))

    assert text.startswith(b"head\n")
    assert b" bytes left out here]\n" in text
    assert text.endswith(b"tail\n")
    assert len(text) < 1 << 20


def test_a_secret_that_begins_before_the_tail_is_masked(tmp_path: Path) -> None:
    masker = Masker({"KEY": "first half\nsecond half"})
    path = write(tmp_path, b"before\nfirst half\nsecond half\nafter\n")

    shown = b"".join(chunks(path, masker, 2))

    assert b"half" not in shown
    assert shown.endswith(b"after\n")


def test_a_secret_across_pieces_is_masked(tmp_path: Path) -> None:
    masker = Masker({"KEY": "hunter2-hunter2"})
    path = write(tmp_path, b"x" * 262_140 + b"hunter2-hunter2" + b"y" * 10)

    assert b"".join(chunks(path, masker, None)) == b"x" * 262_140 + b"***" + b"y" * 10
