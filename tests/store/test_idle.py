"""The line that lets a pass go at once, and everything that makes it untrue."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.store import idle
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEGMENT = "000000000001.jsonl"


@pytest.fixture
def quiet(home: Path) -> Path:
    """A home in which nothing is due for a minute."""
    with Store(str(home)).transaction(0) as tx:
        tx.stage(JournalEntry(type="x.y"))
    write(home)
    (home / "last-pass").touch()
    os.utime(home / "last-pass", ns=(0, 0))
    return home


def write(home: Path, before_ms: int = 1000, after_ms: int = 60_000) -> None:
    now = time.time_ns() // 1_000_000
    line = idle.write_line(str(home), now - before_ms, now + after_ms, SEGMENT)
    if line is None:
        pytest.skip("this system does not tell one boot from another")
    (home / "next").write_text(line)


def test_an_idle_pass_leaves_its_heartbeat(quiet: Path) -> None:
    assert idle.is_idle(str(quiet))
    assert abs((quiet / "last-pass").stat().st_mtime - time.time()) < 60
    assert idle.is_idle(str(quiet))


@pytest.mark.parametrize(("before_ms", "after_ms"), [(-10_000, 60_000), (60_000, -1), (0, 0)])
def test_outside_its_window_it_says_nothing(quiet: Path, before_ms: int, after_ms: int) -> None:
    write(quiet, before_ms, after_ms)
    assert not idle.is_idle(str(quiet))
    assert (quiet / "last-pass").stat().st_mtime_ns == 0


@pytest.mark.parametrize("name", ["cue.yaml", "FORMAT"])
def test_a_mode_that_has_changed_means_a_full_pass(quiet: Path, name: str) -> None:
    """Regression: a definition file whose mode was put right stayed refused for ever."""
    path = quiet / name
    path.touch()
    os.utime(path, ns=(0, 0))
    write(quiet)
    assert idle.is_idle(str(quiet))
    path.chmod(0o640)
    assert not idle.is_idle(str(quiet))


def test_an_edit_that_keeps_size_and_time_is_another_file(quiet: Path) -> None:
    path = quiet / "cue.yaml"
    path.write_text("a")
    os.utime(path, ns=(0, 0))
    before = idle.identity(str(path))
    path.write_text("b")
    os.utime(path, ns=(0, 0))
    assert idle.identity(str(path)) != before


def test_below_a_directory_of_all_there_is_no_short_way(quiet: Path) -> None:
    quiet.parent.chmod(0o777)
    assert not idle.is_idle(str(quiet))
    quiet.parent.chmod(0o700)
    assert idle.is_idle(str(quiet))


def test_a_damaged_digit_is_no_reason_to_be_idle_for_years(quiet: Path) -> None:
    write(quiet, after_ms=idle.LONGEST_MS - 1000)
    assert idle.is_idle(str(quiet))
    words = (quiet / "next").read_text().split(" ")
    (quiet / "next").write_text(" ".join([*words[:2], f"9{words[2][1:]}", *words[3:]]))
    assert not idle.is_idle(str(quiet))


def test_another_zone_of_the_machine_means_a_full_pass(
    quiet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "zone_identity", lambda: "/usr/share/zoneinfo/Asia/Kathmandu")
    assert not idle.is_idle(str(quiet))


def _append(home: Path) -> None:
    with Store(str(home)).transaction(0) as tx:
        tx.stage(JournalEntry(type="x.y"))


def _replace(home: Path) -> None:
    path = home / "journal" / SEGMENT
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def _rewrite(home: Path) -> None:
    path = home / "journal" / SEGMENT
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(1, 1))


def _define(home: Path) -> None:
    (home / "cue.yaml").touch()


def _heartbeat_ahead(home: Path) -> None:
    ahead = time.time_ns() + 10**12
    os.utime(home / "last-pass", ns=(ahead, ahead))


def _no_heartbeat(home: Path) -> None:
    (home / "last-pass").unlink()


def _no_journal(home: Path) -> None:
    (home / "journal" / SEGMENT).unlink()


def _word(place: int, text: str) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        words = (home / "next").read_text().split(" ")
        words[place] = text
        (home / "next").write_text(" ".join(words))

    return change


def _write_group(home: Path) -> None:
    home.chmod(0o720)


def _text(text: str) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        (home / "next").write_text(text)

    return change


def _as_fifo(home: Path) -> None:
    (home / "next").unlink()
    os.mkfifo(home / "next")


def _as_link(home: Path) -> None:
    (home / "next").rename(home / "elsewhere")
    (home / "next").symlink_to(home / "elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        _append,
        _replace,
        _rewrite,
        _define,
        _heartbeat_ahead,
        _no_heartbeat,
        _no_journal,
        _write_group,
        _as_fifo,
        _as_link,
        _word(0, "v3"),
        _word(1, "x"),
        _word(3, "000000000002.jsonl"),
        _word(5, "1:2:3"),
        _word(6, "another-boot"),
        _word(6, "-"),
        _word(7, "Europe/Berlin"),
        _word(8, "1:2:3"),
        _word(9, "."),
        _text(""),
        _text("\xff" * 600),
        _text("v2 " * 400),
    ],
)
def test_anything_unusual_means_a_full_pass(quiet: Path, change: Callable[[Path], None]) -> None:
    change(quiet)
    assert not idle.is_idle(str(quiet))
    quiet.chmod(0o700)


def test_without_a_line_there_is_a_full_pass(home: Path, tmp_path: Path) -> None:
    assert not idle.is_idle(str(home))
    assert not idle.is_idle(f"{tmp_path}/nowhere")


def test_a_heartbeat_that_cannot_be_left_is_an_error(
    quiet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", fail)
    with pytest.raises(PermissionError):
        idle.is_idle(str(quiet))


def test_no_line_for_definitions_that_may_change_unseen(quiet: Path) -> None:
    now = time.time_ns() // 1_000_000
    (quiet / "cue.yaml").write_text("")
    assert idle.write_line(str(quiet), now, now + 1, SEGMENT) is None
    os.utime(quiet / "cue.yaml", ns=(0, 0))
    assert idle.write_line(str(quiet), now, now + 1, SEGMENT) is not None


def test_no_line_where_boots_cannot_be_told_apart(
    quiet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "boot_id", lambda: "-")
    assert idle.write_line(str(quiet), 0, 1, SEGMENT) is None
    assert not idle.is_idle(str(quiet))


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["run-due"], {"CUECTL_HOME": "/a"}, "/a"),
        (["run-due"], {"CUECTL_HOME": "a"}, None),
        (["run-due", "--json"], {"CUECTL_HOME": "/a"}, None),
        (["worker"], {"CUECTL_HOME": "/a"}, None),
        (["run-due"], {"CUECTL_HOME": "/a", "CUECTL_NOW": "2026-11-21T02:00:00Z"}, None),
        (["run-due"], {"HOME": "/c"}, "/c/.cue"),
    ],
)
def test_who_may_take_the_idle_path(
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    environment: dict[str, str],
    expected: str | None,
) -> None:
    for name in ("CUECTL_HOME", "CUECTL_NOW"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert idle.home_of(words) == expected
