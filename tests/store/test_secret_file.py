from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store.handler_files import read_secret
from cuectl.values.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("  abc def\n")
    path.chmod(0o600)
    return path


def test_blanks_and_line_ends_around_the_secret_are_not_part_of_it(secret: Path) -> None:
    assert read_secret(str(secret)) == b"abc def"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o601, 0o777])
def test_a_file_that_others_may_use_is_refused(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    with pytest.raises(Refused, match="others may read") as caught:
        read_secret(str(secret))
    assert caught.value.hint == f"chmod 600 '{secret}'"


def test_what_is_no_private_plain_file_is_refused(secret: Path, tmp_path: Path) -> None:
    link, pipe, empty, large = (tmp_path / name for name in ("link", "pipe", "empty", "large"))
    link.symlink_to(secret)
    os.mkfifo(pipe, 0o600)
    empty.touch(0o600)
    large.touch(0o600)
    large.write_bytes(b"x" * 5000)
    for path, words in (
        (link, "can't be read"),
        (tmp_path / "nothing", "can't be read: No such file"),
        (pipe, "not a small plain file"),
        (tmp_path, "not a small plain file"),
        (empty, "is empty"),
        (large, "not a small plain file"),
    ):
        with pytest.raises(Refused, match=words):
            read_secret(str(path))
