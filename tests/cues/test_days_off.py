"""Days off, from `cue.yaml` to the records of passes; the journal implies all of it (`fsck`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.values.times import from_text

if TYPE_CHECKING:
    from tests.fixtures.builder import Answer, Cuectl

FRIDAY = "2026-11-27T11:30:00Z"
FILE = """\
settings: {timezone: Europe/Berlin}
calendars:
  bank: {country: DE, subdivision: BY}
  closed: {dates: [2026-12-24, "2026-12-27..2027-01-03"]}
"""
ICS = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261130
DTEND;VALUE=DATE:20261202
SUMMARY:Offsite
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=Europe/Berlin:20261103T080000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=3
EXDATE;TZID=Europe/Berlin:20261110T080000
SUMMARY:Standup
END:VEVENT
BEGIN:VEVENT
UID:2
RECURRENCE-ID;TZID=Europe/Berlin:20261117T080000
DTSTART;TZID=Europe/Berlin:20261118T080000
DURATION:PT2H
SUMMARY:Standup
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;VALUE=DATE:20261120
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def days(cuectl: Cuectl) -> Cuectl:
    """A home with calendars, before noon of a Friday."""
    cuectl.home.mkdir(mode=0o700)
    own(cuectl, FILE)
    return cuectl.at(FRIDAY)


def own(cuectl: Cuectl, text: str) -> None:
    """Write the user's own file, when the store's clock says; file times are the machine's."""
    path = cuectl.home / "cue.yaml"
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(from_text(FRIDAY) * 1_000_000,) * 2)


def create(cuectl: Cuectl, name: str, cron: str, *options: str) -> Answer:
    """Make a cue that does nothing."""
    words = ("create", "--name", name, "--cron", cron, *options, "--", "true")
    return cuectl.run(*words)


def pass_at(cuectl: Cuectl, at: str) -> list[list[str]]:
    """Run a pass and return what it has made of the occurrences until then, oldest first."""
    assert cuectl.at(at).run("run-due").status == 0
    return records(cuectl)


def records(cuectl: Cuectl) -> list[list[str]]:
    """Return nominal time, status and reason of all executions, oldest first."""
    found = [
        [one["scheduled_for"], one["status"], one["reason"] or ""]
        for one in cuectl.json("executions", "list", "-n", "100")
    ]
    return sorted(found)


def test_next_shows_what_is_left_out_and_why(days: Cuectl) -> None:
    create(
        days, "daily", "0 9 * * *", "--except", "bank", "--except", "closed", "--only", "workdays"
    )

    days.run("next", "daily", "-n", "2", "--since", "2026-12-23T00:00").gives(
        "daily: every day at 09:00\n"
        "Wed 2026-12-23 09:00 CET  2026-12-23T08:00:00Z  in 26d\n"
        "Thu 2026-12-24 09:00 CET  skipped: closed\n"
        "Fri 2026-12-25 09:00 CET  skipped: bank (Christmas Day)\n"
        "Sat 2026-12-26 09:00 CET  skipped: bank (Second Day of Christmas)\n"
        "Sun 2026-12-27 09:00 CET  skipped 5 times, until Thu 2026-12-31 09:00 CET: closed\n"
        "Fri 2027-01-01 09:00 CET  skipped: bank (New Year's Day)\n"
        "Sat 2027-01-02 09:00 CET  skipped 2 times, until Sun 2027-01-03 09:00 CET: closed\n"
        "Mon 2027-01-04 09:00 CET  2027-01-04T08:00:00Z  in 38d\n"
    )
    found = days.json("next", "daily", "-n", "1")
    assert found["fires"] == ["2026-11-30T08:00:00Z"]
    assert found["skipped"] == [
        {"from": "2026-11-28T08:00:00Z", "to": "2026-11-29T08:00:00Z", "count": 2,
         "why": "not in workdays"}
    ]  # fmt: skip


def test_a_day_off_is_recorded_and_the_next_day_runs(days: Cuectl) -> None:
    create(days, "daily", "0 9 * * *", "--except", "bank", "--only", "workdays")
    assert days.json("get", "daily")["next_run"] == "2026-11-30T08:00:00Z"

    saturday = ["2026-11-28T08:00:00Z", "skipped", "calendar: not in workdays"]
    assert pass_at(days, "2026-11-28T08:00:05Z") == [saturday]
    assert pass_at(days, "2026-11-30T08:00:05Z")[1:] == [
        ["2026-11-29T08:00:00Z", "skipped", "calendar: not in workdays"],
        ["2026-11-30T08:00:00Z", "succeeded", ""],
    ]


def test_a_month_end_moves_to_the_workday_before(days: Cuectl) -> None:
    """The nominal time stays the key: what ran on Friday does not run on Sunday."""
    create(days, "end", "0 18 L * *", "--move", "previous-workday", "--except", "bank")
    assert len(pass_at(days, "2026-12-31T17:00:05Z")) == 2
    assert days.json("get", "end")["next_run"] == "2027-01-29T17:00:00Z"

    ran = ["2027-01-31T17:00:00Z", "succeeded", ""]
    assert ran not in pass_at(days, "2027-01-29T16:59:00Z")
    assert pass_at(days, "2027-01-29T17:00:05Z")[-1] == ran
    assert pass_at(days, "2027-02-01T17:00:05Z")[-1] == ran


def test_a_month_end_moves_to_the_workday_after(days: Cuectl) -> None:
    create(days, "end", "0 18 L * *", "--move", "next-workday", "--deadline", "1h")
    pass_at(days, "2026-12-31T17:00:05Z")
    assert days.json("next", "end", "-n", "1")["moved"] == [
        {"at": "2027-02-01T17:00:00Z", "from": "2027-01-31T17:00:00Z"}
    ]

    assert len(pass_at(days, "2027-01-31T17:00:05Z")) == 2
    assert pass_at(days, "2027-02-01T17:00:05Z")[2:] == [["2027-01-31T17:00:00Z", "succeeded", ""]]


def test_a_changed_calendar_counts_at_the_next_pass(days: Cuectl) -> None:
    """Also for an occurrence that is now to run on an earlier day than it was."""
    create(days, "end", "0 18 1 12 *", "--move", "previous-workday", "--except", "closed")
    assert pass_at(days, "2026-11-27T12:01:00Z") == []
    own(days, FILE.replace("2026-12-24", "2026-12-01"))

    assert pass_at(days, "2026-11-30T16:59:00Z") == []
    assert pass_at(days, "2026-11-30T17:00:05Z") == [["2026-12-01T17:00:00Z", "succeeded", ""]]


def test_a_late_start_waits_for_the_end_of_a_blackout(days: Cuectl) -> None:
    create(days, "late", "55 22 * * *", "--except", "23:00-01:00")

    waits = ["2026-11-27T21:55:00Z", "pending", "calendar"]
    assert pass_at(days, "2026-11-27T22:10:00Z") == [waits]
    assert pass_at(days, "2026-11-28T00:00:05Z") == [["2026-11-27T21:55:00Z", "succeeded", ""]]


def test_nothing_starts_in_a_maintenance_window_but_by_hand(days: Cuectl) -> None:
    window = "2026-11-28T08:00/2026-11-28T12:00"
    own(days, FILE.replace("Berlin}", f'Berlin, maintenance: ["{window}"]}}'))
    create(days, "hourly", "0 * * * *")
    days.run(
        "create", "--name", "again", "--at", "2026-11-28T06:59:00Z", "--retries", "1",
        "--backoff", "5m", "--shell", "false",
    )  # fmt: skip
    pass_at(days, "2026-11-28T06:59:10Z")

    reason = f"calendar: maintenance {window}"
    assert pass_at(days, "2026-11-28T07:30:00Z")[-1] == ["2026-11-28T07:00:00Z", "skipped", reason]
    assert days.json("executions", "list", "--status", "waiting")[0]["due_at"] == (
        "2026-11-28T11:00:00Z"
    )
    assert days.run("fire", "hourly", "--wait").status == 0
    planned = days.at("2026-11-28T08:00:00Z").json("run-due", "--dry-run")
    assert [one["decision"] for one in planned] == [f"skipped({reason})"]


def test_what_an_event_starts_keeps_its_days_and_waits_for_maintenance(days: Cuectl) -> None:
    own(
        days,
        FILE.replace("Berlin}", 'Berlin, maintenance: ["2026-11-30T10:00/2026-11-30T11:00"]}')
        + "subscriptions:\n"
        "  - {name: hook, event: shop.order, command: ['true'], only: [workdays]}\n",
    )
    pass_at(days, "2026-11-28T12:00:00Z")
    days.run("emit", "shop.order")
    days.at("2026-11-30T09:30:00Z").run("emit", "shop.order")
    pass_at(days, "2026-11-30T09:31:00Z")

    found = [one[1:] for one in records(days)]
    assert found == [["skipped", "calendar: not in workdays"], ["pending", "calendar"]]
    assert pass_at(days, "2026-11-30T10:00:05Z")[1][1] == "succeeded"


def test_days_of_an_ics_file(days: Cuectl) -> None:
    (days.home / "team.ics").write_text(ICS)
    own(days, FILE + "  team: {ics: team.ics}\n")
    days.at("2026-11-01T00:00:00Z")
    create(days, "daily", "30 8 * * *", "--except", "team")

    skipped = days.json("next", "daily", "-n", "40")["skipped"]
    assert [(one["from"][:10], one["count"], one["why"]) for one in skipped] == [
        ("2026-11-03", 1, "team (Standup)"),
        ("2026-11-18", 1, "team (Standup)"),
        ("2026-11-30", 2, "team (Offsite)"),
    ]


def test_a_calendar_file_that_breaks_leaves_the_last_good_days(days: Cuectl) -> None:
    team = days.home / "team.ics"
    team.write_text(ICS)
    own(days, FILE + "  team: {ics: team.ics}\n")
    create(days, "daily", "0 9 * * *", "--except", "team")
    pass_at(days, "2026-11-28T08:00:05Z")
    pass_at(days, "2026-11-29T08:00:05Z")
    team.write_text("BEGIN:NOTHING\n")

    told = days.at("2026-11-30T08:00:05Z").run("run-due").stderr
    at = f"{days.home}/cue.yaml:5:3"
    assert told.startswith(f"{at}: calendar 'team': {team}: it is not an iCalendar file: ")
    assert "(the previous definitions stay in force)" in told
    assert records(days)[-1] == ["2026-11-30T08:00:00Z", "skipped", "calendar: team (Offsite)"]
    status = days.run("status")
    assert status.status == 4
    assert "calendar 'team'" in status.stdout
    checked = days.run("validate", str(days.home / "cue.yaml"))
    assert checked.status == 7
    assert f"{days.home}/cue.yaml:5:3: error: calendar 'team'" in checked.stdout + checked.stderr
    team.write_text(ICS.replace("20261202", "20261201"))
    assert days.at("2026-12-01T08:00:05Z").run("run-due").stderr == ""
    assert records(days)[-1] == ["2026-12-01T08:00:00Z", "succeeded", ""]


def test_a_calendar_in_use_does_not_go_away(days: Cuectl) -> None:
    """Without it, its cues would run on all of its days."""
    create(days, "daily", "0 9 * * *", "--except", "bank")
    pass_at(days, "2026-11-27T12:01:00Z")
    own(days, "settings: {timezone: Europe/Berlin}\n")

    told = days.at("2026-12-25T08:00:05Z").run("run-due").stderr
    assert "cue 'daily' needs the calendar 'bank', which goes away" in told
    assert records(days)[-1][2] == "calendar: bank (Christmas Day)"


@pytest.mark.parametrize(
    ("calendars", "message"),
    [
        (
            "x: {country: XX}",
            "2:4: calendar 'x': no country 'XX' is known to the package 'holidays'",
        ),
        ("x: {country: DE, subdivision: QQ}", "2:4: calendar 'x': 'DE' has no subdivision 'QQ'"),
        ("x: {ics: gone.ics}", "2:4: calendar 'x': there is no file '{work}/gone.ics'"),
        ("x: {dates: [23:00-01:00]}", "2:16: 'dates' in calendar 'x': '23:00-01:00' is neither"),
        ("x: {dates: [2026-02-30]}", "2:16: 'dates' in calendar 'x': '2026-02-30' is no day"),
        ("workdays: {country: DE}", "2:14: a calendar can't be called 'workdays'"),
        ("x: {subdivision: BY}", "2:7: calendar 'x' has no days"),
    ],
)
def test_a_calendar_that_means_nothing(cuectl: Cuectl, calendars: str, message: str) -> None:
    cuectl.files({"cue.yaml": f"calendars:\n   {calendars}\n"}).at("2026-11-27T12:00:00Z")

    answer = cuectl.run("apply", "cue.yaml")
    assert answer.status == 7
    place, _, words = message.format(work=cuectl.work).partition(" ")
    assert answer.stderr.startswith(f"cue.yaml:{place} error: {words}"), answer.stderr
    assert not cuectl.home.exists()


def test_every_door_shows_the_days(days: Cuectl) -> None:
    text = (
        "cues:\n  end: {cron: '0 18 L * *', command: ['true'], move: next-workday, "
        "except: [bank, 23:00-01:00], only: [workdays]}\n"
    )
    days.files({"cues.yaml": text, "bad.yaml": text.replace("bank", "bnak")})
    pass_at(days, "2026-11-27T12:01:00Z")
    assert days.run("diff", "cues.yaml").status == 4
    assert days.run("apply", "cues.yaml").status == 0

    policy: dict[str, Any] = {"except": ["bank", "23:00-01:00"], "only": ["workdays"]}
    policy["move"] = "next-workday"
    assert days.json("get", "end")["policy"].items() >= policy.items()
    assert (
        "except: bank, 23:00-01:00\nonly: workdays\nmove: next-workday\n"
        in days.run("get", "end").stdout
    )
    bad = days.run("validate", "bad.yaml")
    assert (bad.status, "did you mean 'bank'?" in bad.stdout + bad.stderr) == (7, True)
    days.run("update", "end", "--no-except", "--no-only", "--no-move")
    none: dict[str, Any] = {"except": [], "only": [], "move": None}
    assert days.json("get", "end")["policy"].items() >= none.items()
    days.run("create", "--name", "x", "--cron", "@daily", "--except", "nope", "--", "true").fails(
        2, "no calendar 'nope' is defined",
        "define it under 'calendars' in ~/.cue/cue.yaml, or write a date or workdays",
    )  # fmt: skip
    bad = days.run("create", "--cron", "@daily", "--only", "2026-13-01", "--", "true")
    assert (bad.status, "'2026-13-01' is no day and no time" in bad.stderr) == (2, True)


def test_a_pass_imports_no_library_for_calendars(days: Cuectl) -> None:
    """They are read once, when the file is taken over."""
    create(days, "daily", "0 9 * * *", "--except", "bank")
    pass_at(days, "2026-11-27T12:01:00Z")
    broken = days.work / "broken"
    for name in ("holidays", "icalendar", "yaml"):
        (broken / name).mkdir(parents=True)
        (broken / name / "__init__.py").write_text("raise SystemExit('imported')")
    days.env(PYTHONPATH=str(broken))

    assert pass_at(days, "2026-12-25T08:00:05Z")[-1][2] == "calendar: bank (Christmas Day)"


def test_a_cue_that_calendars_leave_out_for_ever_is_told_in_a_few_lines(days: Cuectl) -> None:
    create(days, "never", "0 9 * * *", "--only", "workdays", "--except", "workdays")

    lines = days.run("next", "never", "-n", "2").stdout.splitlines()

    assert len(lines) == 1 + 4 * 2 + 1
    assert "and more are skipped: " in lines[-1]


def test_status_names_no_start_that_a_calendar_leaves_out(days: Cuectl) -> None:
    create(days, "daily", "0 9 * * *", "--except", "2026-11-28", "--except", "2026-11-29")
    create(days, "moved", "0 18 29 11 *", "--move", "next-workday")
    assert days.json("status")["next_due"] == "daily"
    assert days.json("status")["next_due_at"] == "2026-11-30T08:00:00Z"
    create(days, "sooner", "0 12 28 11 *")
    found = days.json("status")
    assert (found["next_due"], found["next_due_at"]) == ("sooner", "2026-11-28T11:00:00Z")
    create(days, "never", "0 10 28 11 *", "--only", "2026-12-01")
    assert days.json("status")["next_due"] == "sooner"


def test_an_applied_file_tells_when_its_holidays_run_out(days: Cuectl) -> None:
    days.files(
        {
            "far.yaml": "calendars: {bank2: {country: DE}}\n",
            "near.yaml": "calendars: {own: {dates: [2026-12-24]}}\n",
        }
    )
    for name in ("far.yaml", "near.yaml"):
        assert days.run("apply", name).status == 0
    path = days.work / "far.yaml"

    def ending(year: int) -> list[list[str]]:
        days.at(f"{year}-06-01T00:00:00Z")
        found = days.run("--json", "status").json["findings"]
        return [[one["level"], one["message"]] for one in found if one["code"] == "calendars_end"]

    said = f"the calendars of '{path}' know no holidays after 2036"
    assert [ending(year) for year in (2035, 2036, 2037)] == [
        *([], [["warning", said]], [["problem", said]])
    ]
    assert days.run("apply", "far.yaml").status == 0
    assert ending(2037) == []


def test_the_spread_of_retries_is_shown_as_it_is_written(days: Cuectl) -> None:
    days.files(
        {
            "a.yaml": "cues:\n  a: {every: 1h, command: ['true'], "
            "retry: {max_attempts: 3, jitter: 20%}}\n"
        }
    )
    assert days.run("apply", "a.yaml").status == 0
    assert "retry jitter: 20%\n" in days.run("get", "a").stdout
