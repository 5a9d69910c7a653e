"""The page as one file: the same parts, without forms and without news, as of one instant."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from itertools import islice
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cuectl.cues.rules.record import cue_view
from cuectl.cues.schedule import fires_of, with_fires
from cuectl.cues.words import schedule_words
from cuectl.executions.lookup import list_records
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.executions.rules.verdict import BAD
from cuectl.http.page import render
from cuectl.http.page.cues import readable, row_of, table_of
from cuectl.http.page.look import PageLook
from cuectl.http.page.places import alerts_page, workflows_page
from cuectl.http.page.runs import outputs_of
from cuectl.installation.status import findings_of, status_report
from cuectl.values.times import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record

DAYS = 14
# A cue that fires more often a day stands in one line below the calendar.
MOST_A_DAY = 4
_MOST_GROUPS = 50
_OUTPUTS = 20
_RUNS_OF_A_CUE = 10


def dashboard_file(runtime: Runtime, *, since: int | None, limit: int) -> tuple[str, int, bool]:
    """Return the file, how many executions are in it, and whether there are older ones.

    Those due before `since` are left out; None for all that fit.
    """
    look = PageLook(runtime, static=True)
    found = list_records(look.reader, ExecutionFilter(since=since), look.now)
    records = list(islice(found, limit + 1)) if look.reader.home else []
    runs = [look.execution(one) for one in records[:limit]]
    runs.sort(key=lambda one: int(one["at"]), reverse=True)
    report = status_report(runtime)
    table = table_of(look, {})
    style, script = render.asset("app.css"), render.asset("app.js")
    values = {
        **look.values("Dashboard", "", table["next_at"]),
        **table,
        "acts": False,
        "policy": _policy(style, script),
        # They are ours, and stand where nothing is escaped.
        "style": Markup(style),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "findings": findings_of(report, max_age_s=None),
        "failures": failures(look, runs),
        "alerts": alerts_page(look)["open"],
        "flows": workflows_page(look)["runs"],
        "cues": list(_details(look, runs)),
        "runs": runs,
        "left_out": len(records) > limit,
        **calendar(look),
    }
    return render.render("dashboard.html", values), len(runs), len(records) > limit


def _policy(style: str, script: str) -> str:
    """Return what the browser may do: use this very style and script, and load nothing at all."""
    hashes = [b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types cuectl"
    )


def failures(look: PageLook, runs: Sequence[Record]) -> list[dict[str, Any]]:
    """Return what failed, those of a cue that failed alike as one, with the end of its output."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        if run["word"] in BAD:
            key = run["cue_id"], run["why"] or ""
            group = groups.setdefault(key, {"run": run, "count": 0, "outputs": ()})
            group["count"] += 1
            group["since"] = run["at"]
    found = list(groups.values())[:_MOST_GROUPS]
    for group in found[:_OUTPUTS]:
        run = group["run"]
        group["outputs"] = list(outputs_of(look, run["id"], run["attempt"]))
    return found


def calendar(look: PageLook) -> dict[str, Any]:
    """Return the coming days with the fires of cues that fire rarely; the others by their words."""
    days: dict[str, list[tuple[str, str]]] = {}
    for step in range(DAYS):
        days[look.clock(look.now + step * DAY)[:14]] = []
    often: dict[str, list[str]] = {}
    until, most = look.now + DAYS * DAY, MOST_A_DAY * DAYS + 1
    for cue, known in readable(look):
        state = with_fires(look.reader, look.runtime, cue, known, most)
        fires = [at for at in fires_of(cue, state, look.now, most) if at < until]
        if len(fires) > MOST_A_DAY * DAYS:
            often.setdefault(schedule_words(cue.trigger), []).append(cue.name)
            continue
        for at in fires:
            said = look.clock(at)
            days.setdefault(said[:14], []).append((said[15:20], cue.name))
    return {"days": {day: sorted(fires) for day, fires in days.items()}, "often": often}


def _details(look: PageLook, runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    by_cue: dict[str, list[Record]] = {}
    for run in runs:
        by_cue.setdefault(run["cue_id"], []).append(run)
    for cue, state in sorted(readable(look), key=lambda one: one[0].name):
        some = by_cue.get(cue.id, [])[:_RUNS_OF_A_CUE]
        yield {
            "row": row_of(look, cue, state),
            "view": look.shown(cue_view(cue, state)),
            "runs": some,
        }
