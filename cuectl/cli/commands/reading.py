"""Find, read and change cues, and what people read about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.cli.frame.terminal import Column
from cuectl.cues import words
from cuectl.values.errors import StateError
from cuectl.values.ids import LEAST_SUFFIX
from cuectl.values.times import distance_in_words, from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cuectl.cli.frame.run import Call
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.store.reading import Reader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def reader_of(call: Call) -> Reader:
    """Return what the command sees of the store; say what is wrong with it."""
    reader = call.reader()
    warn(call, reader)
    return reader


def warn(call: Call, reader: Reader, *, history: bool = False) -> None:
    """Print what the reader has noted, once; with `history`, what is wrong there too."""
    for problem in reader.history.problems if history else ():
        call.out.warn(problem, hint="see: cuectl fsck")
    for note in reader.notes:
        call.out.warn(note)
    reader.notes.clear()


def readable_cues(
    call: Call, reader: Reader, count: int = 1, since: int = 0
) -> Iterator[tuple[Cue, CueState]]:
    """Yield all cues, with `count` coming fires; one that is damaged is named and left out."""
    from cuectl.cues.lookup import cue_ids, read_cue_by_name
    from cuectl.cues.schedule import with_fires

    for cue_id in sorted(cue_ids(reader)):
        try:
            known = read_cue_by_name(reader, cue_id)
        except StateError as error:
            call.out.warn(error.message, hint=error.hint)
            continue
        if known is not None:
            yield known[0], with_fires(reader, call.runtime, *known, count, since)


def public(call: Call, cue: Cue, state: CueState) -> Record:
    """Return the public form of a cue, a payload from its own file included."""
    from cuectl.cues.rules.record import cue_view

    return call.shown(cue_view(cue, state, payload_of(call, cue) if cue.payload_ref else None))


def payload_of(call: Call, cue: Cue) -> Record:
    """Return the payload of a cue, from its own file where it has one. Raises StateError: gone."""
    if not cue.payload_ref:
        return cue.payload
    from cuectl.store import handler_files

    try:
        return handler_files.read(call.runtime.home, cue.payload_ref)
    except (OSError, ValueError) as error:
        message = f"the payload of cue '{cue.name}' can't be read: {error}"
        raise StateError(message, hint="see: cuectl fsck") from error


def time_column(call: Call, key: str, title: str, *, priority: int = 0) -> Column:
    """Return a column of times, as `--time` wants them."""
    now = call.runtime.now()

    def show(record: Mapping[str, Any]) -> str:
        return call.out.moment(from_text(record[key]), now) if record[key] else ""

    return Column(key, title, show=show, right=True, priority=priority)


def id_column(call: Call, key: str = "id", title: str = "ID", *, priority: int = 0) -> Column:
    """Return a column of the last letters of ids, which name one; whole with `-v`."""

    def show(record: Mapping[str, Any]) -> str:
        return str(record[key] if call.out.verbose else record[key][-LEAST_SUFFIX:])

    return Column(key, title, show=show, priority=priority, least=LEAST_SUFFIX)


def zone_of(call: Call, trigger: Record) -> str:
    """Return the zone in which the times of a cue are shown: its own, else this machine's."""
    zone: str | None = None if call.settings.utc else trigger.get("timezone")
    return zone or ("UTC" if call.settings.utc else call.runtime.zone)


def next_line(call: Call, cue: Cue, state: CueState, now: int) -> str:
    """Return `next: Sun 2026-11-22 02:00 EST (in 22 h), every day at 02:00`."""
    from cuectl.cues.rules.record import CueStatus

    if state.status is CueStatus.HELD:
        return f"next: after its parent '{cue.origin.parent}' ends ({cue.origin.when})"
    if state.status is CueStatus.PAUSED:
        if state.paused_until is None:
            return "next: not while it is paused"
        until = local_words(state.paused_until, zone_of(call, cue.trigger))
        return f"next: paused until {until} ({distance_in_words(state.paused_until - now)})"
    if state.next_at is None:
        import shlex

        is_event, name = cue.trigger["type"] == "event", shlex.quote(cue.name)
        when = schedule_words(cue.trigger) if is_event else "never by itself"
        return f"next: {when}; start it: cuectl {'trigger' if is_event else 'fire'} {name}"
    when = local_words(state.next_at, zone_of(call, cue.trigger))
    distance = distance_in_words(state.next_at - now)
    return f"next: {when} ({distance}), {schedule_words(cue.trigger)}"


def local_words(ms: int, zone: str) -> str:
    """Return `Sun 2026-11-22 02:00 EST`, with seconds where there are any."""
    from cuectl.schedule.zones import local_text

    return local_text(ms, zone, seconds=ms // 1000 % 60 != 0)


_STYLES = {
    "verified": "green",
    "passed": "green",
    "running": "cyan",
    "unproven": "yellow",
    "to-verify": "yellow",
    "waiting": "yellow",
    "skipped": "dim",
    "cancelled": "dim",
}


def verdict_style(record: Mapping[str, Any]) -> str:
    """Return the colour of what has a verdict: red for whatever went wrong."""
    return _STYLES.get(record["verdict"], "red") if record.get("verdict") else ""


T = TypeVar("T")
schedule_words, work_words = words.schedule_words, words.work_words
_CHANGED = tuple(Column(key) for key in ("id", "name", "status", "next_run"))


def found_cues(call: Call, names: tuple[str, ...]) -> list[tuple[Cue, CueState]]:
    """Return the cues that the names mean, each once. Raises NotFound: one of them is not there."""
    from cuectl.cues.lookup import find_cue

    reader = reader_of(call)
    found = [find_cue(reader, name) for name in names]
    return list({one[0].id: one for one in found}.values())


def changed_cues(
    call: Call,
    names: tuple[str, ...],
    change: Callable[[Transaction, Cue, CueState], T],
    *,
    gone: bool = False,
) -> list[tuple[Cue, T]]:
    """Change the cues in one commit; `--json` prints what they are, or were if they are gone."""
    from cuectl.cues.lookup import find_cue, no_cue
    from cuectl.cues.schedule import with_fires

    store = call.runtime.existing_store
    if store is None and names:
        raise no_cue(names[0])
    if store is None or not names:
        call.out.records([], _CHANGED) if not call.out.for_people else None
        return []
    with store.transaction(call.runtime.now()) as tx:
        found = {cue.id: (cue, state) for cue, state in (find_cue(tx, name) for name in names)}
        before = [public(call, cue, state) for cue, state in found.values()] if gone else []
        done = [(cue, change(tx, cue, state)) for cue, state in found.values()]
        known = [] if gone else [find_cue(tx, cue_id) for cue_id in found]
        told = [(cue, with_fires(tx, call.runtime, cue, state, 1)) for cue, state in known]
        after = [public(call, *one) for one in told]
    if not call.out.for_people:
        call.out.records([*before, *after], _CHANGED)
    return done
