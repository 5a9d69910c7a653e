"""The journal's lines in words."""

from __future__ import annotations

from typing import Any

import pytest

from cuectl.cli.commands.log import words_of

OPEN = "open/exec_1.json"
WAITING = "waiting/exec_1.json"


def said(kind: str, **members: Any) -> tuple[str, str]:
    word, _, rest = words_of({"type": kind, **members}, lambda text: text[11:19])
    return word, rest


def settled(**record: Any) -> tuple[str, str]:
    return said("execution.settled", record={"status": "succeeded", **record})


@pytest.mark.parametrize(
    ("record", "word", "rest"),
    [
        ({"exit_code": 0, "duration_s": 103.0}, "passed", "in 1m43s"),
        ({"outcome_state": "verified_success", "external_id": "r"}, "verified", "r"),
        (
            {"outcome_state": "verification_pending", "cue_name": "a b"},
            "to verify",
            "waits for you: cuectl verify 'a b'",
        ),
        (
            {"outcome_state": "verification_failed", "exit_code": 0, "reason": "no external_id"},
            "UNPROVEN",
            "exited 0, no external_id",
        ),
        (
            {"status": "failed", "reason": "exit status 3", "attempt": 2, "error": "so\nno"},
            "FAILED",
            "attempt 2  exit 3: no",
        ),
        ({"status": "failed", "reason": "signal 9"}, "FAILED", "signal 9"),
        ({"status": "timed_out", "reason": "after 1 h"}, "TIMED OUT", "after 1 h"),
        ({"status": "skipped", "reason": "overlap"}, "skipped", "an earlier run was not finished"),
        (
            {
                "status": "missed",
                "reason": "catch_up",
                "range": {"from": "a", "to": "b", "count": 4},
            },
            "MISSED",
            "4 times: due while nothing ran",
        ),
    ],
)
def test_an_end_is_told_by_what_it_means(record: dict[str, Any], word: str, rest: str) -> None:
    assert settled(**record) == (word, rest)


def test_a_retry_says_why_and_when() -> None:
    earlier = [{"attempt": 1, "status": "failed", "reason": "exit 1"}]
    record = {"attempt": 2, "due_at": "2026-11-21T02:32:44Z", "attempts": earlier}

    assert said("execution.waiting", set={WAITING: record}) == (
        "retry",
        "attempt 2 at 02:32:44; tries again after: exit 1",
    )


def test_a_late_report_is_waited_for() -> None:
    record = {"reason": "report", "report_until": "2026-11-21T03:00:00Z", "exit_code": 0}

    assert said("execution.waiting", set={WAITING: record}) == (
        "waits",
        "waits for its report until 03:00:00",
    )


@pytest.mark.parametrize(
    ("kind", "members", "expected"),
    [
        ("execution.claimed", {"set": {OPEN: {"attempt": 2}}}, ("claimed", "attempt 2")),
        (
            "execution.reclaimed",
            {"set": {OPEN: {}}},
            ("claimed", "attempt 1, taken over from a pass that died"),
        ),
        (
            "execution.revised",
            {"record": {"status": "succeeded", "outcome_state": "verified_success"}},
            ("verified", ""),
        ),
        (
            "cue.created",
            {"set": {"cues/cue_1.json": {"trigger": {"type": "every", "every_s": 90}}}},
            ("created", "every 1m30s"),
        ),
        ("cue.paused", {"detail": {"reason": "holiday"}}, ("paused", "holiday")),
        (
            "alert.raised",
            {"set": {"alerts/alert_1.json": {"type": "missed", "message": "two\nlines"}}},
            ("ALERT", "missed: two lines"),
        ),
        ("clock.reset", {"detail": {"now": "x", "n": 1}}, ("clock.reset", "now x, n 1")),
        ("some.thing", {}, ("some.thing", "")),
    ],
)
def test_other_lines(kind: str, members: dict[str, Any], expected: tuple[str, str]) -> None:
    assert said(kind, **members) == expected


def test_a_text_from_outside_stays_on_its_line() -> None:
    word, rest = settled(summary="one\ntwo\x1b[2J\u202e")

    assert word == "passed"
    assert "\n" not in rest
    assert "\x1b" not in rest


def test_an_event_is_told_by_its_type_where_it_comes_from_and_what_it_holds() -> None:
    data = {"status": "completed", "exitCode": 0}
    event = {"type": "agent.completed", "source": "/cuectl/emit", "data": data}

    assert said("event.recorded", detail={"cloudevent": event}) == (
        "agent.completed",
        "from /cuectl/emit status completed, exitCode 0",
    )
    assert said("event.forgotten") == ("event.forgotten", "")


def test_a_definition_is_applied_indexed_or_removed() -> None:
    assert said("definitions.applied", detail={"path": "a.yaml"}) == ("applied", "a.yaml")
    assert said("definitions.applied", detail={"path": "a", "removed": True}) == ("removed", "a")
    assert said("definitions.indexed") == ("indexed", "")
