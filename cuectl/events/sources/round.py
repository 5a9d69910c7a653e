"""The event sources of a pass: those of time under the lock, the others outside it.

When a source outside is due again is in the file `polls`; sources without a pace of their
own (files, tasks) are due at every pass, and in a worker every five seconds or more.
"""

from __future__ import annotations

import os
from functools import partial

from cuectl.events.rules.event import TIMED
from cuectl.events.rules.time_sources import Sight
from cuectl.events.sources.registry import MINUTE_MS, POLLED
from cuectl.events.sources.state import forget, index_of, known_source, look_at
from cuectl.executions.effects import guarded
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths, source_memory
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.events.sources.polls import Polled
    from cuectl.events.sources.scans import Scan
    from cuectl.events.sources.state import SourceState
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.store.store import Store, Transaction
    from cuectl.values.records import Record

# The pass waits for files to come to rest no longer than this; then it tells them as they are.
LONGEST_REST_S = 10.0
_SHORTEST_PACE_S = 5.0
# A worker spends at most a twentieth of its time on looking at files.
_SHARE = 20
_SCANS_AT_ONCE = 16
_FORGETFUL = ("file.changed", "task.pending")


@dataclass(slots=True, kw_only=True)
class _Phase:
    due_s: float | None = None
    restless_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """When a full pass has to poll, and whether each pass looks at sources the short way."""

    at: int | None
    polls: bool


class SourceRound:
    """What one pass does with event sources.

    Args:
        context: of the pass.
        only: names or ids of the cues that it looks at; empty for all.
        stays: it continues when nothing is left to do.
        watched: descriptors that the pass waits on, and what it does then.
    """

    def __init__(
        self,
        context: PassContext,
        *,
        only: frozenset[str],
        stays: bool,
        watched: dict[int, Callable[[], None]],
    ) -> None:
        self._context = context
        self._only = only
        self._stays = stays
        self._polls: Record | None = None
        self._phases: dict[str, _Phase] = {}
        self._due: list[SourceState] = []
        self._open: list[Polled] = []
        self._watched = watched
        self._scans: list[Scan] = []
        self._looked_at: int | None = None
        self._gone: list[str] = []

    def look(self, tx: Transaction, effects: Effects) -> None:
        """Stage what sources of time tell, and note which of the others are to be polled."""
        sight = self._sight(effects)
        if self._polls is None:
            self._polls = source_memory.read_polls(tx.store.home)
        from cuectl.cues.rules.record import cue_from_record
        from cuectl.events.dispatch import room_for

        live: set[str] = set()
        self._due = []
        for event in (*TIMED, *POLLED):
            for cue_id in index_of(tx, event):
                known = known_source(tx, cue_id, event)
                if known is None:
                    continue
                live.add(cue_id)
                if self._only and self._only.isdisjoint((cue_id, known.cue["name"])):
                    continue
                if event in TIMED:
                    why = guarded(tx, effects, partial(look_at, tx, known, sight, effects))
                    if why is not None:
                        effects.lines.append(f"'{known.cue['name']}' can't be looked at: {why}")
                elif self._is_due(tx, known, effects.now):
                    room = room_for(tx, cue_from_record(known.cue), effects)
                    self._due.append(replace(known, room=room))
                    self._polls.setdefault(cue_id, {"next": effects.now})
        self._forget_gone(tx, live)
        self._looked_at = effects.now

    def _sight(self, effects: Effects) -> Sight:
        last = self._looked_at
        if last is None:
            try:
                found = os.stat(f"{self._context.home}/last-pass", follow_symlinks=False)
                last = found.st_mtime_ns // 1_000_000
            except FileNotFoundError:
                last = None
        context = self._context
        return Sight(now=effects.now, last_pass_at=last, boot=context.boot, zone=context.zone())

    def _is_due(self, tx: Transaction, known: SourceState, now: int) -> bool:
        if not known.listens:
            self._pause(tx, known)
            return False
        phase = self._phases.get(known.id)
        pace = POLLED[known.event].pace_ms(known.trigger)
        if phase is not None and phase.due_s is not None:
            return monotonic_s() >= phase.due_s
        if phase is not None and (pace == 0 or not self._stays):
            return False
        planned = (self._polls or {}).get(known.id)
        if not isinstance(planned, dict) or known.is_edited or pace == 0:
            return True
        next_at, delay = planned.get("next", 0), planned.get("delay", pace)
        return bool(next_at <= now or next_at > now + max(pace, delay) + MINUTE_MS)

    def _pause(self, tx: Transaction, known: SourceState) -> None:
        # After a pause what has happened meanwhile is not news; items of GitHub still are.
        if known.source is not None and known.event in _FORGETFUL:
            forget(tx, known.id, known.source)
            self._gone.append(known.id)
        if self._polls:
            self._polls.pop(known.id, None)

    def _forget_gone(self, tx: Transaction, live: set[str]) -> None:
        for name in tx.names("sources"):
            cue_id = name.removesuffix(".json")
            source = tx.read(f"sources/{name}") if cue_id not in live else None
            if source is not None:
                forget(tx, cue_id, source)
                self._gone.append(cue_id)
        if self._polls:
            self._polls = {key: value for key, value in self._polls.items() if key in live}

    def record(self, tx: Transaction, effects: Effects) -> None:
        """Stage what the polls have found."""
        from cuectl.events.sources.polls import record

        for done in self._open:
            done.counted = record(tx, done, effects)

    def poll(self, effects: Effects) -> None:
        """Start polling the sources that are due, as many at once as there may be."""
        while self._due and len(self._scans) < _SCANS_AT_ONCE:
            self._poll(self._due.pop(0), effects)

    def _poll(self, known: SourceState, effects: Effects) -> None:
        from cuectl.events.sources.polls import poll
        from cuectl.events.sources.scans import start

        phase, context = self._phases.setdefault(known.id, _Phase()), self._context
        since = phase.restless_since_s
        hastes = since is not None and monotonic_s() - since >= LONGEST_REST_S
        look = partial(poll, known, context, effects, in_haste=hastes)
        scan = start(known, context.home, effects.now, look)
        phase.due_s = None
        if scan is not None:
            self._scans.append(scan)
            self._watched[scan.fd] = scan.read

    def polled(self) -> bool:
        """Take the polls that have ended; tell whether one of them has news."""
        over = [one for one in self._scans if one.is_over or one.is_late()]
        self._scans = [one for one in self._scans if one not in over]
        for scan in over:
            del self._watched[scan.fd]
            done, known = scan.result(), scan.known
            self._open.append(done)
            self._plan(known, done, self._phases[known.id], scan.began_s, scan.now)
        return any(done.has_news for done in self._open)

    def _plan(
        self, known: SourceState, done: Polled, phase: _Phase, began_s: float, now: int
    ) -> None:
        rests_in_s = done.seen.rests_in_s
        if rests_in_s is None:
            phase.restless_since_s = None
        elif phase.restless_since_s is None:
            phase.restless_since_s = began_s
        ended_s = monotonic_s()
        pace = POLLED[known.event].pace_ms(known.trigger)
        if done.seen.more:
            phase.due_s = ended_s
        elif rests_in_s is not None and phase.restless_since_s is not None:
            limit_s = phase.restless_since_s + LONGEST_REST_S
            phase.due_s = min(ended_s + rests_in_s + 0.01, max(limit_s, ended_s))
        elif self._stays and pace == 0:
            phase.due_s = ended_s + max(_SHORTEST_PACE_S, _SHARE * (ended_s - began_s))
        self._note_poll(known, done, pace, now)

    def _note_poll(self, known: SourceState, done: Polled, pace: int, now: int) -> None:
        from cuectl.events.rules.github_items import back_off_ms

        polls = self._polls if self._polls is not None else {}
        minute = now - now % MINUTE_MS
        plan: Record = {"next": minute + pace if pace else now}
        if done.too_often:
            before = polls.get(known.id) or {}
            delay = back_off_ms(before.get("delay"), pace)
            plan = {"next": minute + delay, "delay": delay}
        if not pace and (quick := _quick(known, done)):
            plan["quick"] = quick
        self._polls = polls | {known.id: plan}

    def close(self, *, durable: bool = False) -> None:
        """Release the locks of the polled sources; once durable, remove older memories."""
        if not self._open and not self._gone:
            return
        from cuectl.events.sources.polls import close

        while self._open:
            close(self._context.home, self._open.pop(), durable=durable)
        while durable and self._gone:
            source_memory.keep_only(self._context.home, self._gone.pop(), None)

    def leave_scans(self) -> None:
        """Give up the polls under way: what they would tell comes again."""
        self._due = []
        while self._scans:
            scan = self._scans.pop()
            del self._watched[scan.fd]
            scan.end()
            source_memory.release(scan.lock)

    @property
    def has_due(self) -> bool:
        """Whether sources are to be polled now."""
        return bool(self._due)

    @property
    def is_polling(self) -> bool:
        """Whether a poll is under way, or is still to start."""
        return bool(self._scans or self._due)

    def until_rest_s(self) -> float | None:
        """Return the seconds until something that was seen may be reported; None for nothing."""
        due = [one.due_s for one in self._phases.values() if one.due_s is not None]
        return max(0.0, min(due) - monotonic_s()) if due else None

    def until_poll_s(self, now: int) -> float | None:
        """Return the seconds until a worker has to poll again."""
        waits = [self.until_rest_s()]
        for cue_id, plan in (self._polls or {}).items():
            phase = self._phases.get(cue_id)
            if (phase is None or phase.due_s is None) and plan["next"] > now:
                waits.append((plan["next"] - now) / 1000)
        return min((one for one in waits if one is not None), default=None)

    def leave(self, store: Store) -> Coming:
        """Note when each source is due, the lock held; return what that means for `next`."""
        written = source_memory.read_polls(store.home)
        polls = written if self._polls is None else dict(self._polls)
        for cue_id, plan in written.items():
            # Another pass may have polled since this one has read the file.
            if cue_id in polls and plan.get("next", 0) > polls[cue_id].get("next", 0):
                polls[cue_id] = plan
        polls = {key: _checked(store, key, plan) for key, plan in polls.items()}
        if polls != written:
            source_memory.write_polls(store.home, polls)
        times = [one["next"] for one in polls.values() if "quick" not in one]
        return Coming(at=min(times, default=None), polls=len(times) < len(polls))


def _quick(known: SourceState, done: Polled) -> Record | None:
    """Return what a pass needs to look at a source the short way; None when it can't."""
    named = done.named or (known.source or {}).get("memory")
    busy = done.seen.more or done.seen.rests or done.seen.waiting
    if named is None or done.error is not None or busy:
        return None
    memory = source_memory.file_name(known.id, named)
    watch = known.trigger["watch"]
    return {"event": known.event, "watch": watch, "root": done.root, "memory": memory}


def _checked(store: Store, cue_id: str, plan: Record) -> Record:
    """Return a plan without its short way if that leads to a memory that is not in use."""
    if "quick" not in plan:
        return plan
    named = (store.read(paths.source(cue_id)) or {}).get("memory")
    if named and source_memory.file_name(cue_id, named) == plan["quick"]["memory"]:
        return plan
    return {"next": plan["next"]}
