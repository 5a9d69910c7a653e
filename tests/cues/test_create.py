from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.create import create_cue, creation_event
from cuectl.cues.rules.record import Cue, CueStatus, Origin
from cuectl.process.runtime import Runtime
from cuectl.store import handler_files, paths
from cuectl.values.errors import Conflict, UsageError
from cuectl.values.times import HOUR, from_text, to_text
from tests.fixtures.cue_making import (
    a_draft,
    assert_views_hold,
    change,
    found,
    last_lines,
    make,
    markers,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import ManualClock


def test_a_cron_cue_is_planned_in_its_zone(runtime: Runtime) -> None:
    cue = make(runtime, cron="0 2 * * *", timezone="America/New_York")

    _, state = found(runtime, "backup")
    assert state.next_at == from_text("2026-11-21T07:00:00Z")
    assert markers(runtime) == [f"{state.next_at}.c.{cue.id}"]
    fires = runtime.store.read(paths.fires(cue.id))
    assert fires is not None
    assert fires["fires"][0] == state.next_at
    assert len(fires["fires"]) == 24
    assert_views_hold(runtime)


def test_a_cue_is_one_line_and_one_sync(runtime: Runtime) -> None:
    cue = make(runtime, cron="@daily")

    (line,) = last_lines(runtime, 9)
    assert (line["type"], line["n"], line["cue"]) == ("cue.created", 1, cue.id)


def test_a_cue_without_a_schedule_has_no_place_in_the_agenda(runtime: Runtime) -> None:
    cue = make(runtime)

    assert cue.trigger == {"type": "manual"}
    assert found(runtime, cue.id)[1].status is CueStatus.ACTIVE
    assert markers(runtime) == []
    assert_views_hold(runtime)


def test_a_one_shot_may_be_for_now(runtime: Runtime) -> None:
    cue = make(runtime, at="now")

    assert found(runtime, cue.id)[1].next_at == runtime.now()


def test_a_heartbeat_beats_from_its_creation_on(runtime: Runtime) -> None:
    cue = make(runtime, every_s=900)

    assert cue.trigger == {"type": "every", "every_s": 900, "anchor": "2026-11-21T02:00:00Z"}
    assert found(runtime, cue.id)[1].next_at == from_text("2026-11-21T02:15:00Z")


def test_jitter_moves_the_marker_and_not_the_nominal_time(runtime: Runtime) -> None:
    cue = make(runtime, cron="@daily", policy={"jitter_s": 3600.0})

    _, state = found(runtime, cue.id)
    assert state.next_at == from_text("2026-11-22T00:00:00Z")
    (name,) = markers(runtime)
    assert 0 < int(name.split(".")[0]) - state.next_at < HOUR


def test_a_name_that_is_in_use_is_refused(runtime: Runtime) -> None:
    first = make(runtime, cron="@daily")

    with pytest.raises(Conflict) as caught:
        make(runtime, cron="@hourly")

    assert caught.value.message == f"a cue named 'backup' exists ({first.id})"
    assert caught.value.hint == "change it with: cuectl update backup"
    assert len(last_lines(runtime, 9)) == 1


@pytest.mark.parametrize("status", [CueStatus.COMPLETED, CueStatus.FAILED])
def test_the_name_of_a_cue_at_rest_can_be_used_again(runtime: Runtime, status: CueStatus) -> None:
    old = make(runtime, at="+1m")
    _put_at_rest(runtime, old, status)

    new = make(runtime, at="+2m")

    assert found(runtime, "backup")[0].id == new.id
    assert found(runtime, old.id)[0].name == "backup"
    assert_views_hold(runtime)


def _put_at_rest(runtime: Runtime, cue: Cue, status: CueStatus) -> None:
    from cuectl.store.journal.lines import JournalEntry, Views

    _, state = found(runtime, cue.id)
    marker = paths.marker(state.next_at or 0, "c", cue.id)
    rest = replace(state, status=status, next_at=None)
    with change(runtime) as tx:
        views: Views = {paths.state(cue.id): rest.to_record(), marker: None}
        tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue.id}, set=views))


def test_a_cue_without_a_name_is_called_after_what_it_runs(runtime: Runtime) -> None:
    names = [
        make(runtime, name=None, argv=("/usr/local/bin/back up!", "-v")).name,
        make(runtime, name=None, task="audit").name,
        make(runtime, name=None, payload={"task": "audit"}).name,
        make(runtime, name=None, shell="./a.sh | gzip").name,
        make(runtime, name=None, argv=("...",)).name,
    ]

    assert names == ["back-up", "audit", "audit-2", "a.sh", "cue"]


def test_a_child_that_waits_for_its_parent_is_held(runtime: Runtime) -> None:
    cue = replace(
        make(runtime, at="+1h"),
        id="cue_000000000000",
        name="child",
        origin=Origin(kind="chain", parent="exec_1", root="exec_0", depth=1, when="success"),
    )
    with change(runtime) as tx:
        tx.stage(creation_event(tx, cue, runtime.now()))

    _, state = found(runtime, "child")
    assert (state.status, state.next_at) == (CueStatus.HELD, None)
    assert len(markers(runtime)) == 1
    (line,) = last_lines(runtime, 1)
    assert (line["parent"], line["root"]) == ("exec_1", "exec_0")
    assert_views_hold(runtime)


def test_a_large_payload_goes_to_a_file_before_the_line_names_it(runtime: Runtime) -> None:
    payload = {"task": "audit", "text": "x" * 70_000}

    cue = make(runtime, payload=payload)

    assert cue.payload == {}
    assert cue.payload_ref is not None
    assert handler_files.read(runtime.home, cue.payload_ref) == payload
    assert len(last_lines(runtime, 1)[0]["set"][paths.cue(cue.id)]) < 4_000


def test_a_failing_creation_makes_no_home(tmp_path: Path, clock: ManualClock) -> None:
    home = tmp_path / "nothing"
    runtime = Runtime(home=str(home), environment={}, clock=clock)

    for fields in ({"cron": "0 25 * * *"}, {"at": "2026-11-20T00:00:00Z"}, {"name": "a\nb"}):
        with pytest.raises(UsageError):
            make(runtime, **fields)

    assert not home.exists()


def test_the_zone_is_that_of_the_settings_and_else_the_machines(
    runtime: Runtime, home: Path
) -> None:
    first = make(runtime, name="first", cron="@daily")
    (home / "cue.yaml").write_text("settings: {timezone: Europe/Berlin}\n")

    second = make(runtime, name="second", cron="@daily")
    third = make(runtime, name="third", cron="@daily", timezone="Asia/Tokyo")

    zones = [cue.trigger["timezone"] for cue in (first, second, third)]
    assert zones == ["UTC", "Europe/Berlin", "Asia/Tokyo"]


def test_a_handler_in_a_file_that_no_pass_has_seen_is_known(runtime: Runtime, home: Path) -> None:
    before = create_cue(runtime, a_draft(name="one", task="audit"))
    (home / "cue.yaml").write_text("handlers: {audit: 'true'}\n")
    after = create_cue(runtime, a_draft(name="two", task="audit"))

    assert (before.known_task, after.known_task) == (False, True)
    assert not (home / "config").exists()


def test_two_processes_cannot_both_take_a_name(runtime: Runtime) -> None:
    other = Runtime(home=runtime.home, environment={}, clock=runtime.clock)
    make(other, cron="@daily")

    with pytest.raises(Conflict):
        make(runtime, cron="@daily")


def test_a_zone_of_half_an_hour_is_honoured(runtime: Runtime) -> None:
    make(runtime, cron="0 9 * * *", timezone="Asia/Kolkata")

    assert to_text(found(runtime, "backup")[1].next_at or 0) == "2026-11-21T03:30:00Z"
