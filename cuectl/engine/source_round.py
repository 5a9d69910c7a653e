"""The event sources of a pass: those of time under the lock, the others outside it.

When a source outside is due again stands in the file `polls`; sources without a pace of their
own (files, tasks) are due at every pass, and in a worker every five seconds or more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.clock import monotonic_s
from cuectl.engine.source_records import Known, forget, index_of, known_source
from cuectl.engine.source_times import look_at
from cuectl.engine.sources import MINUTE_MS, POLLED, TIMED
from cuectl.model.time_sources import Sight
from cuectl.model.values import dataclass
from cuectl.store import paths, source_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.pass_options import PassOptions
    from cuectl.engine.settling import Settling
    from cuectl.engine.source_polls import Polled
    from cuectl.engine.surroundings import Context
    from cuectl.store.store import Store, Transaction

Record = dict[str, Any]

# The pass waits for files to come to rest no longer than this; then it tells them as they are.
LONGEST_REST_S = 10.0
_SHORTEST_PACE_S = 5.0
# A worker spends at most a twentieth of its time on looking at files.
_SHARE = 20
_FORGETFUL = ("file.changed", "task.pending")


@dataclass(slots=True, kw_only=True)
class _Phase:
    """What a pass knows of a source that it has polled: when it does so again."""

    due_s: float | None = None
    restless_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """What sources outside mean for the passes to come.

    Attributes:
        at: when a full pass has to poll; None for never.
        polls: there are sources that each pass looks at the short way.
    """

    at: int | None
    polls: bool


class SourceRound:
    """What one pass does with event sources."""

    def __init__(self, context: Context, options: PassOptions) -> None:
        self._context = context
        self._options = options
        self._polls: Record | None = None
        self._phases: dict[str, _Phase] = {}
        self._due: list[Known] = []
        self._open: list[Polled] = []
        self._looked_at: int | None = None
        self._gone: list[str] = []

    # --- under the store lock -------------------------------------------------------------

    def look(self, tx: Transaction, to: Settling) -> None:
        """Stage what sources of time tell, and note which of the others are to be polled."""
        if self._options.executions:
            return
        sight = self._sight(to)
        if self._polls is None:
            self._polls = source_memory.read_polls(tx.store.home)
        live: set[str] = set()
        self._due = []
        for event in (*TIMED, *POLLED):
            for cue_id in index_of(tx, event):
                known = known_source(tx, cue_id, event)
                if known is None:
                    continue
                live.add(cue_id)
                if not self._is_chosen(known):
                    continue
                if event in TIMED:
                    look_at(tx, known, sight, to)
                elif self._is_due(tx, known, to.now):
                    self._due.append(known)
                    self._polls.setdefault(cue_id, {"next": to.now})
        self._forget_gone(tx, live)
        self._looked_at = to.now

    def _sight(self, to: Settling) -> Sight:
        last = self._looked_at
        if last is None:
            try:
                found = os.stat(f"{self._context.home}/last-pass", follow_symlinks=False)
                last = found.st_mtime_ns // 1_000_000
            except FileNotFoundError:
                last = None
        zone = self._context.around.zone
        return Sight(now=to.now, last_pass_at=last, boot=self._context.boot, zone=zone)

    def _is_chosen(self, known: Known) -> bool:
        only = self._options.only
        return not only or known.id in only or known.cue["name"] in only

    def _is_due(self, tx: Transaction, known: Known, now: int) -> bool:
        if not known.listens:
            self._pause(tx, known)
            return False
        phase = self._phases.get(known.id)
        pace = POLLED[known.event].pace_ms(known.trigger)
        if phase is not None and phase.due_s is not None:
            return monotonic_s() >= phase.due_s
        if phase is not None and (pace == 0 or not self._options.stay):
            return False
        planned = (self._polls or {}).get(known.id)
        if not isinstance(planned, dict) or known.is_edited or pace == 0:
            return True
        next_at, delay = planned.get("next", 0), planned.get("delay", pace)
        return bool(next_at <= now or next_at > now + max(pace, delay) + MINUTE_MS)

    def _pause(self, tx: Transaction, known: Known) -> None:
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

    def record(self, tx: Transaction, to: Settling) -> None:
        """Stage what the polls have found."""
        from cuectl.engine.source_polls import record

        for done in self._open:
            done.counted = record(tx, done, to)

    # --- without it -----------------------------------------------------------------------

    def poll(self, to: Settling, *, slow: bool, goes_on: Callable[[], bool]) -> bool:
        """Poll the sources that are due; tell whether there is something to record.

        Args:
            to: with the instant, and the definitions in force.
            slow: those that wait for others; else those that do not.
            goes_on: asked before each.
        """
        for known in self._due:
            if POLLED[known.event].slow == slow and goes_on():
                self._poll(known, to)
        self._due = [one for one in self._due if POLLED[one.event].slow != slow]
        return any(done.has_news for done in self._open)

    def _poll(self, known: Known, to: Settling) -> None:
        from cuectl.engine.source_polls import poll
        from cuectl.model.cue import cue_from_record

        began_s = monotonic_s()
        phase = self._phases.setdefault(known.id, _Phase())
        since = phase.restless_since_s
        in_haste = since is not None and began_s - since >= LONGEST_REST_S
        cue = cue_from_record(known.cue)
        done = poll(known, cue, self._context, to, in_haste=in_haste)
        phase.due_s = None
        if done is None:
            return
        self._open.append(done)
        self._plan(known, done, phase, began_s, to.now)

    def _plan(self, known: Known, done: Polled, phase: _Phase, began_s: float, now: int) -> None:
        """Note when a source is to be polled again."""
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
        elif self._options.stay and pace == 0:
            phase.due_s = ended_s + max(_SHORTEST_PACE_S, _SHARE * (ended_s - began_s))
        self._note_poll(known, done, pace, now)

    def _note_poll(self, known: Known, done: Polled, pace: int, now: int) -> None:
        from cuectl.model.github_items import back_off_ms

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
        """Give back the locks of the sources that were polled.

        Args:
            durable: what they have found was committed, so older memories can go.
        """
        from cuectl.engine.source_polls import close

        while self._open:
            close(self._context.home, self._open.pop(), durable=durable)
        while durable and self._gone:
            source_memory.keep_only(self._context.home, self._gone.pop(), None)

    # --- when to look again ---------------------------------------------------------------

    @property
    def has_due(self) -> bool:
        """Whether sources are to be polled now."""
        return bool(self._due)

    def until_rest_s(self) -> float | None:
        """Return the seconds until something that the pass has seen may be told; None for nothing.

        A pass waits for files that are still being changed, and goes on where there are more
        news than one poll tells.
        """
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


def _quick(known: Known, done: Polled) -> Record | None:
    """Return what a pass needs to look at a source the short way; None when it can't."""
    named = done.named or (known.source or {}).get("memory")
    if named is None or done.error is not None or done.seen.more or done.seen.rests:
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
