"""The pages of cues: all of them, problems first, and one with its runs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from cuectl.cues.lookup import cue_ids, find_cue, read_cue_by_name
from cuectl.cues.rules.recent import RecentEnd, recent_ends
from cuectl.cues.rules.record import AT_REST, CueStatus, cue_view
from cuectl.cues.schedule import fires_of, first_planned, with_fires
from cuectl.executions.lookup import list_records, unsettled_records
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.executions.rules.verdict import BAD, GOOD, VerdictWord, word_of
from cuectl.http.page.look import number_in
from cuectl.http.page.render import bars
from cuectl.installation.standing import Standing, failing_among, standing_of
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass
from cuectl.values.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.http.page.look import PageLook

MOST_ROWS = 100
MOST_RUNS = 50
_MOST_ENDED = 500
_LONGEST_WHY = 90
_FAR = 1 << 62
_GROUPS = ("failing", "waiting", "running", "fine", "paused", "finished")
_ORDER = {name: place for place, name in enumerate(_GROUPS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CueRow:
    """A cue in the table; `group` is one of `_GROUPS`."""

    id: str
    name: str
    standing: Standing
    group: str
    next_at: int | None
    ends: tuple[RecentEnd, ...]
    why: str


def row_of(look: PageLook, cue: Cue, state: CueState) -> CueRow:
    """Return what the table says of a cue."""
    standing = standing_of(look.reader, cue, state, look.now)
    return CueRow(
        id=cue.id,
        name=cue.name,
        standing=standing,
        group=_group(standing, state),
        next_at=state.next_at if state.status is CueStatus.ACTIVE else None,
        ends=tuple(recent_ends(state)),
        why=one_line(look.masked(standing.why), _LONGEST_WHY),
    )


def _group(standing: Standing, state: CueState) -> str:
    if standing.asks:
        return "waiting"
    if standing.paused:
        return "paused"
    if standing.failures or standing.word in BAD:
        return "failing"
    if standing.word is VerdictWord.RUNNING:
        return "running"
    return "finished" if state.status in AT_REST else "fine"


def some_cues(look: PageLook) -> Iterator[tuple[Cue, CueState]]:
    """Yield all cues; of a great many those that fire first, fail, are at work or have an alert."""
    if not look.reader.is_large("cues"):
        yield from readable(look)
        return
    found = {one[0].id: one for one in first_planned(look.reader, look.runtime, MOST_ROWS)}
    busy = [one["cue_id"] for one in unsettled_records(look.reader, look.now)]
    told = [one.cue_id for one in look.alerts if one.cue_id and one.is_open]
    ended = look.lately.ended(look.runtime, look.now)[:_MOST_ENDED]
    failing = [one[0].id for one in failing_among(look.reader, ended, look.now)]
    for cue_id in [*failing, *dict.fromkeys([*busy, *told][:MOST_ROWS])]:
        if cue_id not in found and (known := read_cue_by_name(look.reader, cue_id)):
            found[cue_id] = known
    yield from found.values()


def readable(look: PageLook) -> Iterator[tuple[Cue, CueState]]:
    """Yield all cues; one that is damaged is named above the page, and left out."""
    for cue_id in sorted(cue_ids(look.reader)):
        try:
            known = read_cue_by_name(look.reader, cue_id)
        except StateError as error:
            look.reader.notes.append(error.message)
            continue
        if known is not None:
            yield known


def table_of(look: PageLook, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the table of cues, as far as the query asks for them."""
    filtered = bool(query.get("q") or query.get("status"))
    cues = readable(look) if filtered or look.static else some_cues(look)
    found = (row_of(look, *one) for one in cues)
    # Problems first, then by the next fire.
    rows = sorted(found, key=lambda one: (_ORDER[one.group], one.next_at or _FAR, one.name))
    counts = {name: sum(one.group == name for one in rows) for name in _ORDER}
    wanted, text = query.get("status", ""), query.get("q", "").casefold()
    shown = [one for one in rows if _is_wanted(one, wanted, text)]
    page = max(1, number_in(query, "page", 1))
    start = (page - 1) * MOST_ROWS
    return {
        "rows": shown if look.static else shown[start : start + MOST_ROWS],
        "total": len(rows),
        "is_part": not filtered and not look.static and look.reader.is_large("cues"),
        "found": len(shown),
        "counts": counts,
        "status": wanted,
        "q": query.get("q", ""),
        "page": page,
        "more": not look.static and len(shown) > start + MOST_ROWS,
        "next_at": min((one.next_at for one in rows if one.next_at), default=None),
    }


def _is_wanted(row: CueRow, wanted: str, text: str) -> bool:
    if text and text not in f"{row.name} {row.standing.result} {row.why}".casefold():
        return False
    return row.group == wanted if wanted in _ORDER else bool(text) or row.group != "finished"


def cue_page(look: PageLook, name: str) -> dict[str, Any]:
    """Return one cue with its newest runs."""
    cue, state = find_cue(look.reader, name)
    state = with_fires(look.reader, look.runtime, cue, state, 3, look.now)
    view = look.shown(cue_view(cue, state))
    wanted = ExecutionFilter(cue_ids=(cue.id,))
    records = islice(list_records(look.reader, wanted, look.now), MOST_RUNS)
    runs = [look.execution(one) for one in records]
    ends = [RecentEnd(word_of(one), one["duration_s"]) for one in reversed(runs[:30])]
    spans = sorted(one.took_s for one in ends if one.word in GOOD and one.took_s is not None)
    return {
        "cue": view,
        "row": row_of(look, cue, state),
        "runs": runs,
        "drawn": bars(ends),
        "median_s": spans[len(spans) // 2] if spans else None,
        "longest_s": spans[-1] if spans else None,
        "coming": fires_of(cue, state, look.now, 3),
        "searched_to": look.searched_to,
    }
