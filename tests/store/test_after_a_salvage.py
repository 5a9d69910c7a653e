"""Whatever line of a journal is lost, what is left after a salvage belongs together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuectl.store import paths
from cuectl.store.journal.check import ERROR
from cuectl.store.repair.agenda import AgendaCheck, corrections
from cuectl.store.repair.fsck import check
from cuectl.store.repair.rebuild import rebuild
from cuectl.store.store import Store
from cuectl.values.times import from_text
from tests.fixtures.passing import a_cue, fired, pass_over
from tests.implied import implied_views

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from tests.conftest import ManualClock

NOW = from_text("2026-11-21T09:00:00Z")


@pytest.fixture
def busy(runtime: Runtime, clock: ManualClock) -> Runtime:
    """A store with something of every kind in its agenda."""
    a_cue(runtime, "hourly", cron="0 * * * *")
    a_cue(runtime, "flaky", shell="exit 1", policy={"max_attempts": 2, "backoff_s": (3600.0,)})
    a_cue(runtime, "by-hand")
    fired(runtime, "flaky")
    fired(runtime, "by-hand")
    pass_over(runtime)
    clock.set("2026-11-21T03:00:30Z")
    fired(runtime, "by-hand")
    a_cue(runtime, "late", at="2026-11-24T09:00:00Z")
    return runtime


def errors(views: Views) -> list[str]:
    return [str(one) for one in AgendaCheck(views).findings() if one.level == ERROR]


def mended(views: Views) -> Views:
    whole = {**views, **corrections(views, NOW)}
    return {path: value for path, value in whole.items() if value is not None}


def test_what_belongs_together_is_left_alone(busy: Runtime) -> None:
    views = implied_views(busy.home)

    assert errors(views) == []
    assert corrections(views, NOW) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_what_is_left_of_any_views_belongs_together(busy: Runtime, data: st.DataObject) -> None:
    views = implied_views(busy.home)
    lost = data.draw(st.sets(st.sampled_from(sorted(views))))
    left = {path: value for path, value in views.items() if path not in lost}

    after = mended(left)

    assert errors(after) == []
    assert corrections(after, NOW) == {}
    cues = {path for path in after if path.startswith("cues/") and path.count(".") == 1}
    assert cues == {path for path in left if path.startswith("cues/") and path.count(".") == 1}
    for path in cues:
        cue = after[path]
        assert isinstance(cue, dict)
        assert after[paths.name_key(cue["name"])] == {"cue": cue["id"]}


def test_any_lost_line_is_survived(busy: Runtime, tmp_path: Path) -> None:
    """The views are lost as well, so that only the journal says what there was."""
    (segment,) = Path(busy.home, "journal").glob("0*.jsonl")
    count = len(segment.read_bytes().splitlines())
    assert count > 10
    for number in range(count - 1):
        home = tmp_path / f"lost-{number}"
        shutil.copytree(busy.home, home)
        lines = (home / "journal" / segment.name).read_bytes().splitlines(keepends=True)
        lines[number] = lines[number].replace(b'"at":"2026', b'"at":"2025')
        (home / "journal" / segment.name).write_bytes(b"".join(lines))
        for one in ("journal/applied", "journal/checkpoint"):
            (home / one).unlink(missing_ok=True)
        for folder in ("cues", "keys", "due", "open", "waiting"):
            shutil.rmtree(home / folder)

        rebuild(Store(str(home)), NOW, accept_loss=True)

        found = [one for one in check(Store(str(home))).findings if one.level == ERROR]
        assert found == [], json.loads(lines[number])["type"]
