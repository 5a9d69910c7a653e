"""A tree taken, written out again and compared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path


def make_tree(root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "file").write_bytes(b"\0text\xff")
    (root / "d" / "file").chmod(0o400)
    os.link(root / "d" / "file", root / "same")
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "d" / "fifo", 0o600)
    os.utime(root / "d" / "file", ns=(5, 7))
    (root / "d").chmod(0o500)


def test_a_tree_written_out_again_is_the_same(tmp_path: Path) -> None:
    make_tree(tmp_path / "one")
    taken = Snapshot.of(tmp_path / "one")

    taken.write(tmp_path / "two")
    taken.write(tmp_path / "two")

    again = Snapshot.of(tmp_path / "two")
    assert taken.differences(again) == []
    assert taken.digest() == again.digest()
    assert again.nodes["d/file"].mtime_ns == 7
    assert again.nodes["d/file"].inode == again.nodes["same"].inode


def test_each_difference_is_named(tmp_path: Path) -> None:
    root = tmp_path / "one"
    make_tree(root)
    before = Snapshot.of(root)

    (root / "d").chmod(0o700)
    (root / "d" / "fifo").unlink()
    (root / "new").write_text("n")
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")

    differences = before.differences(Snapshot.of(root))
    assert [line.split(":")[0] for line in differences] == ["d", "d/fifo", "link", "new"]
    assert "mode 500 against directory, mode 700" in differences[0]
    assert differences[3].startswith("new: only in the second: file of 1 bytes")


def test_a_root_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert Snapshot.of(tmp_path / "none").nodes == {}
