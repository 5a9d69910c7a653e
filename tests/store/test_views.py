"""Views: written, emptied and removed as the journal says, whatever it is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store import files
from cuectl.store.journal.lines import sealed
from cuectl.store.views import BadView, apply, check_path, read_view

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.store.journal.lines import Views

CUE = "cues/cue_abc.json"
MARKER = "due/498677/40/1795239649816.c.cue_abc"


@pytest.mark.parametrize(
    "path",
    [
        CUE,
        "cues/cue_abc.s.json",
        "open/exec_01m7y9y954wgpjwq5pdqgm85.json",
        "keys/name.5e8c9902207afaeb7120430c.json",
        MARKER,
        "due/0/00/0.c.cue_abc",
    ],
)
def test_the_paths_of_views_are_accepted(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "cues",
        "cues/",
        "cues/../lock",
        "cues/..",
        "cues/.hidden",
        "cues/a/b.json",
        "cues/a\n",
        "cues/a b",
        "cues/ü.json",
        "cues/a~",
        "journal/applied",
        "lock",
        "next",
        "FORMAT",
        "runs/2026-11-21/exec_a.out",
        "passes/1-2-3",
        "due/1/2/3.c.x",
        "due/1/02/x.c.cue_abc",
        "due/1/02/3.C.cue_abc",
        "due/1/02/../../../x",
        "cues/" + "a" * 300,
    ],
)
def test_a_line_that_names_anything_else_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a view"):
        check_path(path)


@pytest.mark.parametrize("anew", [False, True])
def test_an_object_is_written_and_removed(home: Path, anew: bool) -> None:
    assert apply(str(home), {CUE: {"id": "cue_abc", "text": "é"}}, anew=anew) == []
    assert read_view(str(home), CUE) == {"id": "cue_abc", "text": "é"}
    assert (home / CUE).stat().st_mode & 0o777 == 0o600
    assert apply(str(home), {CUE: None}, anew=anew) == []
    assert read_view(str(home), CUE) is None
    assert apply(str(home), {CUE: None}, anew=anew) == []


@pytest.mark.parametrize("anew", [False, True])
def test_a_shorter_object_leaves_nothing_of_the_longer_one(home: Path, anew: bool) -> None:
    apply(str(home), {CUE: {"text": "x" * 5000}})
    apply(str(home), {CUE: {"n": 1}}, anew=anew)

    assert (home / CUE).read_bytes() == sealed({"n": 1}, CUE)


def test_written_anew_is_written_to_another_file(home: Path) -> None:
    """After a power cut the old one may not be on the disk as the cache shows it (hole A8)."""
    apply(str(home), {CUE: {"n": 1}})
    before = (home / CUE).stat().st_ino
    kept = os.open(home / CUE, os.O_RDONLY)
    apply(str(home), {CUE: {"n": 1}}, anew=True)
    os.close(kept)

    assert (home / CUE).stat().st_ino != before


def test_a_marker_is_an_empty_file(home: Path) -> None:
    apply(str(home), {MARKER: True})
    assert (home / MARKER).read_bytes() == b""
    apply(str(home), {MARKER: True})
    assert (home / MARKER).exists()


def test_a_marker_that_moves_is_renamed(home: Path) -> None:
    later = "due/498678/00/1795240800000.c.cue_abc"
    apply(str(home), {MARKER: True})
    inode = (home / MARKER).stat().st_ino
    apply(str(home), {MARKER: None, later: True})

    assert not (home / MARKER).exists()
    assert (home / later).stat().st_ino == inode


def test_empty_buckets_of_the_agenda_are_removed(home: Path) -> None:
    neighbour = "due/498677/41/1795239660000.c.cue_abc"
    apply(str(home), {MARKER: True, neighbour: True})
    apply(str(home), {MARKER: None})
    assert not (home / "due/498677/40").exists()
    assert (home / "due/498677/41").exists()
    apply(str(home), {neighbour: None})

    assert list((home / "due").iterdir()) == []


def test_applying_twice_is_the_same_as_once(home: Path) -> None:
    change: Views = {CUE: {"n": 1}, MARKER: True, "open/exec_a.json": None}
    apply(str(home), {"open/exec_a.json": {"n": 2}})
    apply(str(home), change)
    before = {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    apply(str(home), change)

    assert before == {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_one_path_that_fails_does_not_keep_the_others(home: Path) -> None:
    (home / CUE).mkdir()
    other = "cues/cue_other.json"
    behind = apply(str(home), {CUE: {"n": 1}, other: {"n": 2}, MARKER: True})

    assert behind == [CUE]
    assert read_view(str(home), other) == {"n": 2}
    assert (home / MARKER).exists()


def test_a_view_that_cannot_be_removed_stays_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(str(home), {CUE: {"n": 1}, "cues/cue_other.json": {"n": 2}})
    remove = files.remove_file

    def fail(path: str) -> None:
        if path.endswith("cue_abc.json"):
            raise PermissionError(13, "Permission denied")
        remove(path)

    monkeypatch.setattr(files, "remove_file", fail)

    assert apply(str(home), {CUE: None, "cues/cue_other.json": None}) == [CUE]
    assert read_view(str(home), "cues/cue_other.json") is None


def test_objects_and_markers_come_before_the_removals(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What moves from one place to another is never nowhere."""
    apply(str(home), {"open/exec_a.json": {"n": 1}})
    seen: list[bool] = []
    remove = files.remove_file

    def watch(path: str) -> None:
        seen.append((home / "waiting/exec_a.json").exists())
        remove(path)

    monkeypatch.setattr(files, "remove_file", watch)
    apply(str(home), {"open/exec_a.json": None, "waiting/exec_a.json": {"n": 1}})

    assert seen == [True]


def test_a_symbolic_link_in_the_place_of_a_view_is_not_followed(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (home / CUE).symlink_to(other)
    behind = apply(str(home), {CUE: {"n": 1}})
    anew = apply(str(home), {CUE: {"n": 1}}, anew=True)

    assert other.read_text() == "precious"
    assert (behind, anew) == ([CUE], [])
    assert read_view(str(home), CUE) == {"n": 1}


def test_a_hard_link_in_the_place_of_a_view_is_not_written_through(
    home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (home / CUE).hardlink_to(other)
    apply(str(home), {CUE: {"n": 1}})

    assert other.read_text() == "precious"
    assert read_view(str(home), CUE) == {"n": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"a":' * 20_000, b"{}", sealed({}, "cues/cue_b.json")],
)
def test_a_damaged_view_is_not_an_empty_one(home: Path, content: bytes) -> None:
    (home / CUE).write_bytes(content)

    with pytest.raises(BadView) as caught:
        read_view(str(home), CUE)
    assert caught.value.path == CUE


@pytest.mark.parametrize("kind", ["directory", "fifo", "symlink"])
def test_what_is_no_file_is_a_damaged_view(home: Path, kind: str) -> None:
    if kind == "directory":
        (home / CUE).mkdir()
    elif kind == "fifo":
        os.mkfifo(home / CUE)
    else:
        (home / CUE).symlink_to("/etc/hostname")

    with pytest.raises(BadView):
        read_view(str(home), CUE)


def test_a_descriptor_that_lacks_is_no_damage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names its cause, so that nobody mends what is whole."""
    apply(str(home), {CUE: {"n": 1}})

    def fail(*_: object) -> bytes:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(files, "read_file", fail)
    with pytest.raises((BadView, OSError), match=r"[Tt]oo many open files"):
        read_view(str(home), CUE)
