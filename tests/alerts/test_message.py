"""The whole texts that people are sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import AlertType, Severity
from cuectl.alerts.rules.message import (
    MOST_IN_DIGEST,
    Facts,
    Message,
    digest_of,
    message_about,
    recovery_words,
)
from cuectl.executions.rules.verdict import VerdictWord
from cuectl.values.times import from_text
from tests.alerts.test_alert import NOW, an_alert

if TYPE_CHECKING:
    from cuectl.alerts.rules.alert import Alert

NIGHT = from_text("2026-11-20T02:30:00Z")
HOUR = 3_600_000
FAILING = {
    "type": AlertType.CONSECUTIVE_FAILURES,
    "severity": Severity.CRITICAL,
    "cue_id": "cue_1",
    "cue_name": "backup",
    "execution_id": "exec_1",
    "message": "'backup' failed 2 times in a row: exit 1: disk full",
}
KNOWN = Facts(
    host="web1",
    zone="Europe/Berlin",
    verdict=VerdictWord.FAILED,
    why="exit 1: disk full",
    since=NIGHT,
    failures=2,
    due_at=NIGHT + 24 * HOUR,
    attempt="attempt 3 of 3",
    duration_s=12.4,
    output=("copying", "rsync: disk full"),
    next_at=NIGHT + 48 * HOUR,
    is_kept=True,
)


def told(alert: Alert) -> Message:
    """What a sink gets of an alert of which nothing more is known."""
    return message_about(alert, Facts(host="web1", zone="UTC"))


def text_of(alert: Alert, facts: Facts) -> str:
    message = message_about(alert, facts)
    assert message.id == alert.id
    return f"{message.title}\n===\n{message.text}"


def test_a_failure_says_all_that_is_needed_to_decide_what_to_do() -> None:
    assert (
        text_of(an_alert(**FAILING), KNOWN)
        == """\
web1: 'backup' failed 2 times in a row: exit 1: disk full
===
'backup' failed 2 times in a row: exit 1: disk full

Host:         web1
Cue:          backup
Since:        Fri 2026-11-20 03:30 CET, 2 failures in a row
Verdict:      failed: exit 1: disk full
Run:          exec_1, due Sat 2026-11-21 03:30 CET, attempt 3 of 3, took 12s
Next:         fires next Sun 2026-11-22 03:30 CET

The end of its output:
    copying
    rsync: disk full

Look:         cuectl executions output exec_1
Run again:    cuectl retry exec_1
Acknowledge:  cuectl alerts ack alert_1
"""
    )


def test_an_unproven_run_says_which_evidence_is_missing_and_that_it_is_tried_again() -> None:
    alert = an_alert(
        **FAILING
        | {
            "type": AlertType.VERIFICATION_FAILED,
            "message": "'backup' is unproven: exited 0, no external_id was reported",
        }
    )
    facts = replace(
        KNOWN,
        verdict=VerdictWord.UNPROVEN,
        why="exited 0, no external_id was reported",
        missing="an external id",
        failures=1,
        attempt="",
        output=(),
        retry_at=NIGHT + 25 * HOUR,
    )
    assert (
        text_of(alert, facts)
        == """\
web1: 'backup' is unproven: exited 0, no external_id was reported
===
'backup' is unproven: exited 0, no external_id was reported

Host:         web1
Cue:          backup
Since:        Fri 2026-11-20 03:30 CET
Verdict:      unproven: exited 0, no external_id was reported
Run:          exec_1, due Sat 2026-11-21 03:30 CET, took 12s
Missing:      an external id
Next:         tries again Sat 2026-11-21 04:30 CET, fires next Sun 2026-11-22 03:30 CET

Look:         cuectl executions get exec_1
Run again:    cuectl retry exec_1
Acknowledge:  cuectl alerts ack alert_1
"""
    )


def test_what_was_missed_is_run_again_by_its_cue() -> None:
    facts = Facts(host="web1", zone="UTC", at_rest="completed")
    alert = an_alert(cue_name="it's", cue_id="cue_1", message="'it's' missed an occurrence")
    assert (
        text_of(alert, facts)
        == """\
web1: 'it's' missed an occurrence
===
'it's' missed an occurrence

Host:         web1
Cue:          it's
At:           Sat 2026-11-21 02:00 UTC
Next:         fires no more: the cue is completed

Look:         cuectl get 'it'"'"'s'
Run again:    cuectl fire 'it'"'"'s'
Acknowledge:  cuectl alerts ack alert_1
"""
    )


def test_what_a_person_decides_names_the_command_for_it() -> None:
    facts = Facts(host="web1", zone="UTC", verdict=VerdictWord.TO_VERIFY, is_kept=True)
    alert = an_alert(**FAILING)
    assert "Decide:       cuectl verify exec_1\n" in text_of(alert, facts)


def test_a_recovery_says_how_long_it_lasted_and_asks_for_nothing() -> None:
    message = recovery_words("backup", 51 * HOUR, 3)
    alert = an_alert(**FAILING | {"type": AlertType.RECOVERED, "message": message})
    facts = replace(KNOWN, verdict=VerdictWord.PASSED, why="done", since=None, output=())
    assert (
        text_of(alert, facts)
        == """\
web1: 'backup' recovered after 2 d 3 h, 3 runs failed
===
'backup' recovered after 2 d 3 h, 3 runs failed

Host:         web1
Cue:          backup
At:           Sat 2026-11-21 03:00 CET
Verdict:      passed: done
Run:          exec_1, due Sat 2026-11-21 03:30 CET, attempt 3 of 3, took 12s
Next:         fires next Sun 2026-11-22 03:30 CET

Look:         cuectl executions get exec_1
"""
    )


@pytest.mark.parametrize(
    ("ms", "failed", "words"),
    [
        (0, 0, "a moment"),
        (12_000, 1, "12 s, 1 run failed"),
        (60_000, 2, "1 min, 2 runs failed"),
        (61_000, 0, "1 min 1 s"),
        (24 * HOUR, 0, "1 d"),
        (24 * HOUR + 60_000, 0, "1 d"),
        (400 * 24 * HOUR, 0, "400 d"),
    ],
)
def test_a_span_has_its_two_largest_units(ms: int, failed: int, words: str) -> None:
    assert recovery_words("a", ms, failed) == f"'a' recovered after {words}"


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (AlertType.JOURNAL_DAMAGED, "cuectl fsck"),
        (AlertType.DELIVERY_FAILED, "cuectl alerts list --type delivery_failed"),
        (AlertType.CLOCK_RESET, "cuectl status"),
    ],
)
def test_an_alert_of_no_cue_says_where_to_look(kind: AlertType, command: str) -> None:
    alert = an_alert(type=kind, message="two\nlines")
    assert (
        text_of(alert, Facts(host="web1", zone="UTC"))
        == f"""\
web1: two lines
===
two
lines

Host:         web1
At:           Sat 2026-11-21 02:00 UTC

Look:         {command}
"""
    )


def test_a_reminder_says_how_to_acknowledge_what_it_reminds_of() -> None:
    reminder = an_alert(**FAILING | {"incident": "alert_1", "acknowledged_at": NOW})
    assert "Acknowledge:  cuectl alerts ack alert_1\n" in text_of(reminder, KNOWN)
    seen = an_alert(**FAILING | {"acknowledged_at": NOW})
    assert "Acknowledge" not in text_of(seen, KNOWN)


def test_the_runs_of_a_cue_that_is_gone_can_be_looked_at() -> None:
    over = an_alert(**FAILING | {"type": AlertType.RECOVERED, "execution_id": None})
    text = text_of(over, Facts(host="web1", zone="UTC", at_rest="deleted"))
    assert "Look:         cuectl executions list --cue backup\n" in text


def of_cue(number: int, **more: object) -> Alert:
    name = f"job{number}"
    said = {"message": f"'{name}' failed: exit 1", "cue_id": f"cue_{number}", "cue_name": name}
    return an_alert(**FAILING | said | {"id": f"alert_{number}"} | more)


def test_a_digest_counts_and_has_a_line_of_each() -> None:
    alerts = [
        of_cue(1),
        of_cue(2, created_at=NOW + 60_000),
        of_cue(3, type=AlertType.RECOVERED, message="'job3' recovered after 1 d, 1 run failed"),
        an_alert(id="alert_4", type=AlertType.CLOCK_RESET, message="the clock\nwent back"),
    ]
    message = digest_of(alerts, "web1", "UTC")
    assert [one.id for one in message.alerts] == ["alert_1", "alert_3", "alert_4", "alert_2"]
    assert message.severity is Severity.CRITICAL
    assert (
        f"{message.title}\n===\n{message.text}"
        == """\
web1: 2 cues fail: job1, job2; 1 cue recovered: job3; 1 more alert
===
2 cues fail: job1, job2; 1 cue recovered: job3; 1 more alert

Host:         web1

Sat 2026-11-21 02:00 UTC  'job1' failed: exit 1
Sat 2026-11-21 02:00 UTC  'job3' recovered after 1 d, 1 run failed
Sat 2026-11-21 02:00 UTC  the clock went back
Sat 2026-11-21 02:01 UTC  'job2' failed: exit 1

Look:         cuectl status
All of them:  cuectl alerts list --all
"""
    )


def test_a_digest_of_a_thousand_is_short() -> None:
    message = digest_of([of_cue(number) for number in range(1000)], "web1", "UTC")
    assert message.title == "web1: 1000 cues fail: job0, job1, job10 and 997 more"
    assert message.text.count("failed: exit 1") == MOST_IN_DIGEST
    assert "\nand 950 more\n" in message.text


ANY = st.text(max_size=50)


@given(message=ANY, name=st.none() | ANY, host=ANY, why=ANY, output=st.lists(ANY, max_size=3))
def test_nothing_from_outside_acts_or_forges_a_line(
    message: str, name: str | None, host: str, why: str, output: list[str]
) -> None:
    alert = an_alert(message=message, cue_name=name, cue_id="cue_1")
    facts = Facts(host=host, zone="UTC", verdict=VerdictWord.FAILED, why=why, output=tuple(output))
    for one in (message_about(alert, facts), digest_of([alert, alert], host, "UTC")):
        assert "\n" not in one.title
        assert "\r" not in one.text
        assert "\x1b" not in one.text
        one.text.encode()
    text = message_about(replace(alert, message="m"), replace(facts, output=())).text
    labels = ("m", "", "Host", "Cue", "At", "Verdict", "Look", "Run again", "Acknowledge")
    assert {row.partition(":")[0] for row in text.split("\n")} <= {*labels}
