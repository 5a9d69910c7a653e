from __future__ import annotations

from typing import Any

import pytest

from cuectl.cues.rules.draft import CueDraft, read_trigger
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

NOW = from_text("2026-11-21T02:00:00.250Z")
CRON = {"type": "cron", "expression": "0 2 * * *", "timezone": "America/New_York"}


def trigger(old: dict[str, Any] | None = None, zone: str = "UTC", **fields: Any) -> Any:
    return read_trigger(CueDraft(**fields), now=NOW, zone=zone, old=old)


def test_nothing_said_is_no_trigger() -> None:
    assert trigger() is None
    assert trigger(CRON) is None


def test_blanks_in_an_expression_do_not_matter() -> None:
    assert trigger(cron="  0 2\t* * * ")["expression"] == "0 2 * * *"


def test_the_zone_is_the_drafts_else_the_old_one_else_the_default() -> None:
    assert trigger(zone="Asia/Tokyo", cron="@daily")["timezone"] == "Asia/Tokyo"
    assert trigger(CRON, cron="@daily")["timezone"] == "America/New_York"
    assert trigger(CRON, cron="@daily", timezone="UTC")["timezone"] == "UTC"


def test_a_point_in_time_keeps_the_zone_in_which_it_was_given() -> None:
    found = trigger(at="2026-11-22 09:00", timezone="Europe/Paris")
    assert found == {"type": "at", "at": "2026-11-22T08:00:00Z", "timezone": "Europe/Paris"}
    assert trigger(zone="Asia/Tokyo", at="2026-11-22 09:00") == {
        "type": "at",
        "at": "2026-11-22T00:00:00Z",
    }


def test_a_span_counts_from_now() -> None:
    assert trigger(in_s=90.0) == {"type": "at", "at": "2026-11-21T02:01:30.250Z"}


def test_a_heartbeat_counts_from_whole_seconds_and_keeps_its_beat() -> None:
    first = trigger(every_s=90.0)
    assert first == {"type": "every", "every_s": 90, "anchor": "2026-11-21T02:00:00Z"}
    old = first | {"anchor": "2020-01-01T00:00:00Z"}
    assert trigger(old, every_s=90) == old
    assert trigger(old, every_s=1.5)["anchor"] == "2026-11-21T02:00:00Z"


def test_a_zone_alone_moves_the_old_schedule() -> None:
    assert trigger(CRON, timezone="UTC") == CRON | {"timezone": "UTC"}
    at = {"type": "at", "at": "2026-11-22T08:00:00Z"}
    assert trigger(at, timezone="UTC") == at | {"timezone": "UTC"}


@pytest.mark.parametrize(
    ("old", "fields", "message"),
    [
        (None, {"cron": "@daily", "at": "now"}, "one schedule: 'cron' or 'at'"),
        (None, {"every_s": 60, "in_s": 60}, "one schedule: 'every' or 'in'"),
        (None, {"manual": True, "cron": "@daily"}, "one schedule: 'cron' or 'manual'"),
        (None, {"timezone": "UTC"}, "has nothing to apply to"),
        (None, {"timezone": "UTC", "every_s": 60}, "has nothing to apply to"),
        ({"type": "manual"}, {"timezone": "UTC"}, "has nothing to apply to"),
        (None, {"cron": "@daily", "timezone": "Nowhere"}, "not a known time zone"),
        (None, {"cron": "0 0 31 4 *"}, "never fires"),
        (None, {"at": "2026-11-21T01:00:00Z"}, "in the past"),
        (None, {"every_s": 0.5}, "at least 1 s"),
    ],
)
def test_what_makes_no_schedule_is_refused(
    old: dict[str, Any] | None, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        trigger(old, **fields)
