from __future__ import annotations

import struct
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import pytest

from cuectl.schedule.zones import (
    ClockChange,
    check_zone,
    clock_changes,
    from_local,
    local_parts,
    local_text,
    near_zones,
    offset_reader,
    offset_s,
)
from cuectl.values.errors import UsageError
from cuectl.values.times import DAY, HOUR, MINUTE, days_from_civil, from_text, to_text


def local(text: str) -> int:
    """Return what the clocks show, as `from_local` takes it."""
    return from_text(f"{text.replace(' ', 'T')}:00Z")


@pytest.mark.parametrize(
    "name",
    ["UTC", "Etc/UTC", "Europe/Paris", "America/Argentina/Ushuaia", "Etc/GMT+5", "US/Eastern"],
)
def test_a_zone_is_known(name: str) -> None:
    check_zone(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Pariss", "Europe/Paris"),
        ("Paris", "Europe/Paris"),
        ("New York", "America/New_York"),
        ("Australia/LordHowe", "Australia/Lord_Howe"),
        ("Calcuta", "Asia/Calcutta"),
        ("GMT+5", "Etc/GMT+5"),
        ("right/Europe/Paris", "Europe/Paris"),
    ],
)
def test_a_near_miss_is_suggested(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_zone(name)

    assert caught.value.message == f"'{name}' is not a known time zone"
    assert caught.value.hint == f"did you mean '{near}'?"
    check_zone(near)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x",
        "Europe/../Europe/Paris",
        "/etc/localtime",
        "/usr/share/zoneinfo/Europe/Paris",
        "localtime",
        "posixrules",
        "posix/UTC",
        "Factory",
        "Europe",
        "Europe/",
        "zone.tab",
        "leapseconds",
        "tzdata.zi",
        "x\0y",
        "CEST",
        "A" * 5000,
        "Europe/París",
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a known time zone") as caught:
        check_zone(name)

    assert caught.value.hint is not None
    assert "localtime" not in caught.value.hint


def test_several_near_misses_can_be_asked_for() -> None:
    assert near_zones("America/Argentina/Salto", count=3)[0] == "America/Argentina/Salta"
    assert len(near_zones("America/Indiana", count=3)) <= 3


def test_clock_changes_of_a_year() -> None:
    year = from_text("2026-01-01T00:00:00Z"), from_text("2027-01-01T00:00:00Z")

    assert clock_changes("Europe/Paris", *year) == [
        ClockChange(
            at_ms=from_text("2026-03-29T01:00:00Z"), offset_before_s=3600, offset_after_s=7200
        ),
        ClockChange(
            at_ms=from_text("2026-10-25T01:00:00Z"), offset_before_s=7200, offset_after_s=3600
        ),
    ]
    half_hours = clock_changes("Australia/Lord_Howe", *year)
    assert [change.offset_after_s - change.offset_before_s for change in half_hours] == [
        -1800,
        1800,
    ]
    assert clock_changes("UTC", *year) == []
    assert clock_changes("Asia/Tokyo", *year) == []


def test_a_change_belongs_to_the_stretch_that_ends_with_it() -> None:
    change = from_text("2026-03-29T01:00:00Z")

    assert len(clock_changes("Europe/Paris", change - 1000, change)) == 1
    assert clock_changes("Europe/Paris", change, change + DAY) == []
    assert clock_changes("Europe/Paris", change - DAY, change - 1000) == []


def test_a_whole_day_is_skipped_in_apia() -> None:
    found = clock_changes(
        "Pacific/Apia", from_text("2011-12-01T00:00:00Z"), from_text("2012-01-31T00:00:00Z")
    )

    assert [(to_text(change.at_ms), change.offset_after_s) for change in found] == [
        ("2011-12-30T10:00:00Z", 14 * 3600)
    ]


def transitions(zone: str) -> list[tuple[int, int, int]]:
    """Read (second, offset before, offset after) from a compiled zone file (RFC 8536)."""
    path = next((Path(root, zone) for root in TZPATH if Path(root, zone).is_file()), None)
    if path is None:
        pytest.skip("the system has no zone files")
    data = path.read_bytes()
    isut, isstd, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    times, types = struct.unpack(">2l", data[second + 32 : second + 40])
    body = second + 44
    at = struct.unpack(f">{times}q", data[body : body + 8 * times])
    kinds = data[body + 8 * times : body + 9 * times]
    table = body + 9 * times
    offsets = [
        struct.unpack(">l", data[table + 6 * kind : table + 6 * kind + 4])[0]
        for kind in range(types)
    ]
    found = []
    before = offsets[0]
    for when, kind in zip(at, kinds, strict=True):
        if offsets[kind] != before:
            found.append((when, before, offsets[kind]))
        before = offsets[kind]
    return found


ZONES = sorted(available_timezones() - {"Factory", "localtime"})


def test_no_zone_changes_its_clocks_twice_within_what_is_searched_at_once() -> None:
    shortest = min(
        late[0] - early[0]
        for zone in ZONES
        for early, late in zip(transitions(zone), transitions(zone)[1:], strict=False)
    )

    # 84 hours is the stretch of the cron evaluator, 72 hours that of `clock_changes`.
    assert shortest > 84 * 3600


@pytest.mark.parametrize("zone", ZONES[::20])
def test_all_clock_changes_since_1970_are_found(zone: str) -> None:
    start, end = 0, days_from_civil(2037, 1, 1) * 86_400
    expected = [change for change in transitions(zone) if start < change[0] <= end]
    if expected:
        end = expected[-1][0]

    found = clock_changes(zone, start, end * 1000)

    assert [
        (change.at_ms // 1000, change.offset_before_s, change.offset_after_s) for change in found
    ][: len(expected)] == expected


@pytest.mark.sweep
@pytest.mark.parametrize("zone", ZONES)
def test_all_clock_changes_since_1900_are_found_in_every_zone(zone: str) -> None:
    start = days_from_civil(1900, 1, 1) * 86_400
    expected = [change for change in transitions(zone) if change[0] > start]
    end = expected[-1][0] if expected else 0

    found = clock_changes(zone, start * 1000, end * 1000)

    assert [
        (change.at_ms // 1000, change.offset_before_s, change.offset_after_s) for change in found
    ] == expected


@pytest.mark.parametrize(
    ("shown", "zone", "expected"),
    [
        ("2026-11-23 09:00", "UTC", "2026-11-23T09:00:00Z"),
        ("2026-11-23 09:00", "Europe/Paris", "2026-11-23T08:00:00Z"),
        ("2026-07-23 09:00", "Europe/Paris", "2026-07-23T07:00:00Z"),
        # Skipped: the first minute after the gap.
        ("2026-03-29 02:00", "Europe/Paris", "2026-03-29T01:00:00Z"),
        ("2026-03-29 02:30", "Europe/Paris", "2026-03-29T01:00:00Z"),
        ("2026-03-29 03:00", "Europe/Paris", "2026-03-29T01:00:00Z"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("2011-12-30 12:00", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("1972-01-07 00:10", "Africa/Monrovia", "1972-01-07T00:45:00Z"),
        # Twice: the first.
        ("2026-10-25 02:30", "Europe/Paris", "2026-10-25T00:30:00Z"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00Z"),
    ],
)
def test_a_local_time_is_found(shown: str, zone: str, expected: str) -> None:
    assert to_text(from_local(local(shown), zone)) == expected


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
def test_every_hour_of_a_year_is_read_back_from_its_local_time(zone: str) -> None:
    start = from_text("2011-01-01T00:00:00Z")

    for at_ms in range(start, start + 366 * DAY, HOUR // 2):
        shown_ms = at_ms + 1000 * offset_s(zone, at_ms)
        first = from_local(shown_ms, zone)
        assert first == at_ms or (first < at_ms and from_shown(first, zone) == shown_ms)


def from_shown(at_ms: int, zone: str) -> int:
    return at_ms + 1000 * offset_s(zone, at_ms)


def test_an_instant_is_shown_in_its_zone() -> None:
    at_ms = from_text("2026-11-23T08:00:05Z")

    assert local_text(at_ms, "Europe/Paris") == "Mon 2026-11-23 09:00 CET"
    assert local_text(at_ms, "Europe/Paris", weekday=False) == "2026-11-23 09:00 CET"
    assert local_text(at_ms, "UTC", seconds=True) == "Mon 2026-11-23 08:00:05 UTC"
    assert local_text(at_ms, "Australia/Lord_Howe") == "Mon 2026-11-23 19:00 +11"
    assert local_text(at_ms, "Asia/Kathmandu") == "Mon 2026-11-23 13:45 +0545"
    assert local_parts(at_ms, "Asia/Kathmandu") == (2026, 11, 23, 13, 45, 5)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Pacific/Apia", "America/New_York"])
def test_the_ends_of_time_are_shown_too(zone: str) -> None:
    for text in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert local_text(from_text(text), zone)


def test_the_offset_reader_counts_in_minutes() -> None:
    read = offset_reader("Africa/Monrovia")

    assert read(0) == -45
    assert read(from_text("1972-01-07T00:44:00Z") // MINUTE) == -45
    assert read(from_text("1972-01-07T00:45:00Z") // MINUTE) == 0
    assert offset_reader("Europe/Paris") is offset_reader("Europe/Paris")


def test_what_is_shown_is_what_the_standard_library_shows() -> None:
    start = from_text("2026-01-01T00:00:00Z")
    tz = ZoneInfo("America/St_Johns")

    for at_ms in range(start, start + 365 * DAY, 7 * HOUR):
        shown = datetime.fromtimestamp(at_ms / 1000, tz).strftime("%a %Y-%m-%d %H:%M %Z")
        assert local_text(at_ms, "America/St_Johns") == shown


def test_utc_needs_no_zone_data() -> None:
    code = (
        "import sys; from cuectl.schedule.zones import *; check_zone('UTC'); "
        "local_text(0, 'UTC'); from_local(0, 'UTC'); clock_changes('UTC', 0, 10**12); "
        "print([m for m in ('datetime', 'zoneinfo') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
