"""Passes over schedules with calendars do what a naive model says, at the time that it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.rules.record import Cue, CueState
from cuectl.cues.schedule import first_fires, jitter_of, look_ahead, with_next
from cuectl.executions.rules.record import CatchUp, Overlap, Policy
from cuectl.passes.rules import Decision, Drop, PlannedStart, decide
from cuectl.schedule.calendars import DayRule, parse_item
from cuectl.values.records import replace
from cuectl.values.times import DAY
from tests.schedule.calendar_model import random_case

if TYPE_CHECKING:
    from tests.schedule.calendar_model import NaiveCase


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def when(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def rule_of(case: NaiveCase) -> DayRule:
    spelt = [tuple(map(parse_item, one)) for one in (case.skips, case.only, case.maintenance)]
    return DayRule(
        zone=case.zone, skips=spelt[0], only=spelt[1], maintenance=spelt[2], move=case.move,
        maintenance_zone=case.zone, calendars=case.records(),
    )  # fmt: skip


def cue_of(case: NaiveCase) -> Cue:
    policy = Policy(
        except_=tuple(case.skips), only=tuple(case.only), move=case.move,
        catch_up=CatchUp.ALL, overlap=Overlap.ALLOW,
    )  # fmt: skip
    trigger = {"type": "cron", "expression": case.cron, "timezone": case.zone}
    made = ms(case.begin)
    return Cue(
        id="cue_aaaaaaaaaaaa", name="it", trigger=trigger, target={}, policy=policy,
        created_at=made, updated_at=made,
    )  # fmt: skip


def passes(case: NaiveCase, late: Random | None = None) -> dict[int, tuple[str, int]]:
    """Return nominal time to what passes make of it and when; they come at the markers.

    With `late`, they come some time after them.
    """
    cue, rule, end = cue_of(case), rule_of(case), ms(case.begin) + case.days * DAY
    fires = first_fires(cue.trigger, cue.created_at)
    state = with_next(cue, CueState(), fires[0], cue.created_at)
    done: dict[int, tuple[str, int]] = {}
    while state.next_at is not None:
        place = state.next_at if state.look_at is None else state.look_at
        now = place + jitter_of(cue) + (late.randrange(40 * 3_600_000) if late else 0)
        if place > end:
            break
        ahead = look_ahead(cue, state, fires, now, rule)
        after = with_next(cue, state, ahead.next_at, now, rule)
        assert ahead.due is not None or after != state, "a pass would come here for ever"
        decisions: list[Decision] = []
        if ahead.due is not None:
            decisions, state = decide(ahead.due, cue.policy, state, now, ahead.next_at)
        state = replace(state, next_at=after.next_at, look_at=after.look_at)
        for one in decisions:
            if isinstance(one, PlannedStart):
                assert one.nominal not in done, "an occurrence has two records"
                done[one.nominal] = "start", now
            elif isinstance(one, Drop):
                inside = first_fires(cue.trigger, one.first - 1, one.count)
                assert inside[-1] == one.last, "a range says what is in it"
                assert not set(inside) & done.keys(), "an occurrence has two records"
                done |= dict.fromkeys(inside, (one.reason, now))
    return done


def differences(seed: int) -> list[str]:
    """Return where passes and the model differ for one random case."""
    case = random_case(Random(seed))
    cue, end = cue_of(case), case.begin + timedelta(days=case.days)
    margin = timedelta(days=70)
    around = first_fires(cue.trigger, ms(case.begin - margin), 1200)
    nominals = [when(at) for at in around if at <= ms(end + margin)]
    done, found = passes(case), []
    for nominal in nominals:
        start = case.start_of(nominal, nominals)
        if not case.begin < nominal or max(nominal, start or nominal) >= end:
            continue
        reason, at = done.get(ms(nominal), ("nothing", 0))
        if start is None or start < case.begin:
            same = reason.startswith("calendar: ") and (start is not None or at == ms(nominal))
        else:
            same = (reason, at) == ("start", ms(start))
        if not same:
            found.append(f"seed {seed}: {nominal} {case}: {start}, not {reason} {when(at)}")
    return found


def test_passes_do_what_the_model_says() -> None:
    assert [one for seed in range(12) for one in differences(seed)] == []


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(50))
def test_passes_do_what_the_model_says_for_a_thousand_calendars(part: int) -> None:
    seeds = range(20 * part, 20 * part + 20)
    assert [one for seed in seeds for one in differences(seed)] == []


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 6, 8])
def test_late_passes_record_each_occurrence_once(seed: int) -> None:
    """Whenever passes come: the same are left out, and the others start, none before its time."""
    case = random_case(Random(seed))
    on_time, late = passes(case), passes(case, Random(seed))
    both = on_time.keys() & late.keys()

    assert both
    assert {at: on_time[at][0] for at in both} == {at: late[at][0] for at in both}
    assert all(late[at][1] >= on_time[at][1] for at in both)


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 6, 8])
def test_what_is_shown_is_what_happens(seed: int) -> None:
    case = random_case(Random(seed))
    cue = cue_of(case)
    nominals = first_fires(cue.trigger, cue.created_at, 60)
    starts, skipped = rule_of(case).plan(cue.trigger, cue.created_at, 60)
    done = {at: one for at, one in passes(case).items() if at <= nominals[-1]}
    shown = {at: ("start", start) for start, at in starts if at in done}

    ran = {at: one for at, one in done.items() if one[0] == "start"}
    assert {at: one for at, one in shown.items() if one[1] >= cue.created_at} == ran
    assert sum(count for _, last, count, _ in skipped if last in done) <= len(done) - len(ran)
