"""How files of the state directory are read and written."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from cuectl.store import files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"x", b"y" * 70_000, os.urandom(3 << 20)):
        path.write_bytes(data)
        assert files.read_file(str(path)) == data


def test_not_there_is_none_and_all_else_is_an_error(tmp_path: Path) -> None:
    assert files.read_file(str(tmp_path / "none")) is None
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for name in ("link", "."):
        with pytest.raises(OSError):
            files.read_file(str(tmp_path / name))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        files.read_file(str(tmp_path / "file" / "below"))


def test_a_file_larger_than_its_limit_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert files.read_file(str(tmp_path / "file"), 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        files.read_file(str(tmp_path / "file"), 4)


def test_a_fifo_does_not_hold_a_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert files.read_file(str(tmp_path / "fifo")) in (b"", None)


def test_writing_goes_on_after_a_short_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    files.write_all(fd, b"0123456789")
    os.close(fd)

    assert (tmp_path / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_made_is_private(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.replace_file(f"{tmp_path}/a/b/one", b"1")
        files.overwrite_file(f"{tmp_path}/a/b/two", b"2")
        files.touch_new(f"{tmp_path}/a/c/three")
        files.make_directory(f"{tmp_path}/d/e/f")
    finally:
        os.umask(before)

    made = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert made == ["one", "three", "two"]
    for path in tmp_path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_replacing_leaves_the_old_file_whole_until_the_new_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.replace_file(str(path), b"old")

    def fail(fd: int, data: bytes) -> None:
        os.write(fd, data[:1])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_all", fail)
        with pytest.raises(OSError, match="No space"):
            files.replace_file(str(path), b"new")
    assert path.read_bytes() == b"old"

    # What a dead one left does not stop the next one.
    files.replace_file(str(path), b"newer")
    assert path.read_bytes() == b"newer"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_durable_replacement_syncs_file_and_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(files, "sync", lambda fd: synced.append("file"))
    monkeypatch.setattr(files, "sync_directory", synced.append)
    files.replace_file(f"{tmp_path}/file", b"1")
    assert synced == []
    files.replace_file(f"{tmp_path}/file", b"2", durable=True)
    assert synced == ["file", str(tmp_path)]


def test_replacing_does_not_follow_links(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "file").symlink_to(other)
    (tmp_path / "file~").symlink_to(other)
    files.replace_file(f"{tmp_path}/file", b"new")

    assert other.read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()


def test_overwriting_keeps_the_file_and_cuts_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.overwrite_file(str(path), b"0123456789")
    inode = path.stat().st_ino
    files.overwrite_file(str(path), b"abc")

    assert path.read_bytes() == b"abc"
    assert path.stat().st_ino == inode


def test_touching_does_not_empty_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    files.touch_new(f"{tmp_path}/file")

    assert (tmp_path / "file").read_bytes() == b"1"


def test_what_is_gone_can_be_removed_and_listed(tmp_path: Path) -> None:
    files.remove_file(f"{tmp_path}/none")
    files.remove_file(f"{tmp_path}/none/below")
    (tmp_path / "file").touch()
    files.remove_file(f"{tmp_path}/file/below")

    assert files.list_directory(f"{tmp_path}/none") == []
    assert files.list_directory(str(tmp_path)) == ["file"]
    with pytest.raises(OSError):
        files.remove_file(str(tmp_path))


def test_making_a_directory_in_the_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        files.make_directory(f"{tmp_path}/file/below")
