"""The agenda: what is due, in its order, for the cost of what is due."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.store import files, paths
from cuectl.store.views import Marker, apply, check_path, drop_stale, due_markers, next_marker_at
from cuectl.values.times import HOUR, MINUTE, from_text

if TYPE_CHECKING:
    from pathlib import Path

NOW = from_text("2026-11-21T02:00:30Z")


def put(home: Path, *ats: int, kind: str = "c") -> None:
    apply(str(home), {paths.marker(at, kind, f"cue_{at}"): True for at in ats})


def due(home: Path, now: int = NOW) -> list[int]:
    return [marker.at for marker in due_markers(str(home), now)]


def test_what_is_due_comes_oldest_first(home: Path) -> None:
    earlier = [NOW - 3 * HOUR, NOW - HOUR - 1, NOW - MINUTE, NOW - 1, NOW]
    put(home, *reversed(earlier))
    put(home, NOW + 1, NOW + 29_000, NOW + MINUTE, NOW + HOUR, NOW + 500 * HOUR)

    assert due(home) == earlier


def test_a_marker_says_what_it_is_of(home: Path) -> None:
    put(home, NOW, kind="r")

    assert due_markers(str(home), NOW) == [Marker(NOW, "r", f"cue_{NOW}")]


def test_an_empty_agenda(home: Path) -> None:
    assert due(home) == []
    assert next_marker_at(str(home), NOW) is None
    os.rmdir(home / "due")
    assert due(home) == []


@pytest.mark.parametrize(
    "name", ["x.c.cue_a", "1.c", "1", ".c.cue_a", "-1.c.cue_a", "1795226400000.c.cue_a~"]
)
def test_names_that_are_no_markers_are_passed_over(home: Path, name: str) -> None:
    put(home, NOW)
    folder = (home / paths.marker(NOW, "c", "cue_x")).parent
    (folder / name).touch()

    found = due_markers(str(home), NOW)
    assert Marker(NOW, "c", f"cue_{NOW}") in found
    assert all(one.at <= NOW for one in found)


def test_folders_that_are_no_buckets_are_passed_over(home: Path) -> None:
    put(home, NOW)
    (home / "due" / "x").mkdir()
    (home / "due" / "lost+found").mkdir()

    assert due(home) == [NOW]


def test_later_minutes_are_not_listed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, NOW, *(NOW + number * MINUTE for number in range(1, 200)))
    listed: list[str] = []
    list_directory = files.list_directory

    def watch(path: str) -> list[str]:
        listed.append(path)
        return list_directory(path)

    monkeypatch.setattr(files, "list_directory", watch)
    assert due(home) == [NOW]

    # The hours, the minutes of this hour, and the one minute that has come.
    assert len(listed) == 3


def test_stale_markers_are_dropped(home: Path) -> None:
    put(home, NOW, NOW - MINUTE)
    drop_stale(str(home), due_markers(str(home), NOW)[:1])

    assert due(home) == [NOW]
    drop_stale(str(home), [Marker(NOW - MINUTE, "c", "cue_gone")])


@given(
    offsets=st.sets(st.integers(-5 * HOUR, 5 * HOUR), max_size=12),
    after=st.integers(-6 * HOUR, 6 * HOUR),
)
def test_due_and_next_split_the_agenda(
    tmp_path_factory: pytest.TempPathFactory, offsets: set[int], after: int
) -> None:
    home = tmp_path_factory.mktemp("agenda")
    put(home, *(NOW + offset for offset in offsets))
    moment = NOW + after

    assert due(home, moment) == sorted(NOW + one for one in offsets if NOW + one <= moment)
    later = [NOW + one for one in offsets if NOW + one > moment]
    assert next_marker_at(str(home), moment) == min(later, default=None)


@given(st.integers(0, 2**42), st.sampled_from("cerwa"))
def test_a_marker_s_path_is_one_that_a_view_may_have(at: int, kind: str) -> None:
    path = check_path(paths.marker(at, kind, "cue_abc"))
    hour, minute = (int(word) for word in path.split("/")[1:3])

    assert hour * HOUR + minute * MINUTE <= at < hour * HOUR + (minute + 1) * MINUTE


def test_the_first_minute_of_all_is_seen(home: Path) -> None:
    put(home, 0, 59_999)

    assert due(home, 60_000) == [0, 59_999]
    assert next_marker_at(str(home), -1) == 0
