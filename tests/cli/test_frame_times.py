from __future__ import annotations

import pytest

from cuectl.cli.frame.terminal import local_time, when
from cuectl.values.times import from_text

NOW = from_text("2026-11-21T02:00:00Z")


@pytest.mark.parametrize(
    ("instant", "zone", "text"),
    [
        ("2026-11-23T08:00:00Z", "Europe/Berlin", "Mon 23 Nov 09:00 CET"),
        ("2026-07-01T08:00:59.999Z", "Europe/Berlin", "Wed 1 Jul 10:00 CEST"),
        ("2026-11-23T08:00:00Z", "UTC", "Mon 23 Nov 08:00 UTC"),
        ("2026-12-31T23:30:00Z", "Europe/Berlin", "Fri 1 Jan 2027 00:30 CET"),
        ("2026-11-21T00:15:00Z", "Asia/Kathmandu", "Sat 21 Nov 06:00 +0545"),
        ("1969-12-31T23:59:59Z", "UTC", "Wed 31 Dec 1969 23:59 UTC"),
    ],
)
def test_a_time_has_day_and_zone_and_another_year(instant: str, zone: str, text: str) -> None:
    assert local_time(from_text(instant), NOW, zone) == text


def test_a_time_may_have_seconds() -> None:
    assert local_time(NOW + 7_000, NOW, "UTC", seconds=True) == "Sat 21 Nov 02:00:07 UTC"


def test_when_is_both() -> None:
    assert when(NOW + 60_000, NOW, "UTC") == "Sat 21 Nov 02:01 UTC (in 1m)"
