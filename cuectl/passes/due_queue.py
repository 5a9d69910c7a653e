"""What a pass may claim; it mirrors `open/`, so counting needs no listing."""

from __future__ import annotations

import contextlib
from collections import deque
from functools import partial

from cuectl.executions.rules.placement import executor_name
from cuectl.executions.rules.record import Cause, Execution, execution_from_record
from cuectl.executions.targets import can_run, placement_of
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths
from cuectl.store.views import Marker, drop_stale, due_markers, next_marker_at
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.supervise import Supervisor
    from cuectl.passes.watching import Watched
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Store, Transaction
    from cuectl.values.records import Record

    # How many more an executor may get, with those that are just being claimed.
    RoomElsewhere = Callable[[str, Sequence[Execution]], int]

DEFAULT_POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """Options of `run-due` and `worker`.

    Attributes:
        executions: ids of executions to run and nothing else, for `fire --wait`.
        max_parallel: lowers the setting, never raises it.
        max_time_s: no new starts after this; running executions are awaited.
        end_after_s: executions still running after this are stopped, as by SIGTERM.
        claimed: called with 0 once the first claims are durable.
        watch: called with what runs, and with nothing before a line is printed.
        watch_every_s: how often it is called.
    """

    only: frozenset[str] = frozenset()
    executions: frozenset[str] = frozenset()
    max_parallel: int | None = None
    max_time_s: float | None = None
    end_after_s: float | None = None
    worker: str | None = None
    stay: bool = False
    poll_s: float = DEFAULT_POLL_S
    claimed: Callable[[int], None] | None = None
    watch: Callable[[Sequence[Watched]], None] | None = None
    watch_every_s: float = 0.5

    @property
    def is_partial(self) -> bool:
        """Whether the pass leaves work to others that it could do."""
        return bool(self.only or self.executions)


@dataclass(slots=True, kw_only=True)
class PassResult:
    """What a pass did; with any `problems`, which are its own, it failed."""

    started: int = 0
    settled: int = 0
    failed: bool = False
    signal: int | None = None
    problems: tuple[str, ...] = ()


CLAIM_AHEAD = 64
CLAIM_MOST = 1_024


class Admission:
    """What other passes hold, and what this one may: `slots` at once, by its own limit."""

    def __init__(self, pass_id: str, slots: int, total: int) -> None:
        self.pass_id = pass_id
        self.slots = slots
        self.total = total
        self._holder: dict[str, str] = {}
        self._others: int | None = None
        self._cancelled: set[str] = set()

    def forget(self) -> None:
        """Start counting from zero."""
        self._holder.clear()
        self._others = None

    def see(self, execution_id: str, pass_id: str | None, *, queued: bool = False) -> None:
        """Note who holds an execution that is open."""
        self._others = None
        if queued or pass_id is None or pass_id == self.pass_id:
            self._holder.pop(execution_id, None)
        else:
            self._holder[execution_id] = pass_id

    def follow(self, views: Views) -> None:
        """Note what a journal line says of `open/`."""
        for path, value in views.items():
            if not path.startswith("open/"):
                continue
            execution_id = path[5:-5]
            if isinstance(value, dict):
                if value.get("cancel"):
                    self._cancelled.add(execution_id)
                queued = value.get("status") == "queued"
                self.see(execution_id, value.get("pass_id"), queued=queued)
            elif self._holder.pop(execution_id, None) is not None:
                self._others = None

    def is_cancelled(self, store: Store, execution_id: str) -> bool:
        """Tell whether a cancel came since the claim, by lines not taken in yet; takes no lock.

        Asked before a start and after it, so that a request in between finds one of the two.
        """
        if store.journal.grew():
            from cuectl.store.reading import read_on

            # Damage is reported where the lines are read.
            with contextlib.suppress(StateError, OSError):
                self.follow(read_on(store.home, store.journal.place, {})[1])
        return execution_id in self._cancelled

    def slots_now(self) -> int:
        """Return how many executions this pass may run at once as things are."""
        if self._others is None:
            held: dict[str, int] = {}
            for holder in self._holder.values():
                held[holder] = held.get(holder, 0) + 1
            self._others = sum(min(count, slots_of(holder)) for holder, count in held.items())
        return max(0, min(self.slots, self.total - self._others))

    def room(self, held: int) -> int:
        """Return how many more this pass may claim when it holds `held`."""
        slots = self.slots_now()
        return max(0, min(CLAIM_MOST, slots + CLAIM_AHEAD) - held) if slots else 0


def slots_of(pass_id: str) -> int:
    """Return the limit that a pass wrote in its id: `<ms>-<pid>-<slots>`."""
    text = pass_id.rpartition("-")[2]
    return int(text) if text.isdigit() else 1


_RELIST_S = 1.0
_LONGEST_NAP_S = 60.0
_LOOK_AT_ORPHANS_S = 1.0


class DueQueue:
    """One listing of the agenda, used up as room appears; no signal comes when `orphans` end."""

    def __init__(self, context: PassContext, options: PassOptions) -> None:
        self._context = context
        self._options = options
        self._markers: deque[Marker] = deque()
        self._elsewhere: dict[str, deque[Marker]] = {}  # by executor
        self._listed_s = 0.0
        self._listed_at = 0
        self.orphans = False

    def list_due(self, home: str, now: int) -> None:
        """List what is due; the views are written."""
        wanted = self._options.executions
        markers = due_markers(home, now)
        self._markers = deque(one for one in markers if not wanted or one.id in wanted)
        self._elsewhere.clear()
        self._listed_s = monotonic_s()
        self._listed_at = now

    def list_due_again(self, store: Store, now: int) -> None:
        """List again when the old listing is used up, at most once a second."""
        if not self._has_markers and monotonic_s() - self._listed_s >= _RELIST_S:
            store.flush()
            self.list_due(store.home, now)

    @property
    def _has_markers(self) -> bool:
        return bool(self._markers or any(self._elsewhere.values()))

    def plan(
        self,
        tx: Transaction,
        effects: Effects,
        room: Callable[[], int],
        elsewhere: RoomElsewhere | None = None,
    ) -> None:
        """Stage what the markers ask for, as long as there is room for more claims."""
        if not self._has_markers:
            return
        from cuectl.executions.effects import guarded
        from cuectl.passes.plan_due import Planning, end_marker, plan_marker

        plan = Planning(context=self._context, can_run=self._can_run, chosen=self._is_chosen)
        if elsewhere is not None:
            self._part(tx, effects)
        for marker in self._next_markers(effects, room, elsewhere):
            why = guarded(tx, effects, partial(plan_marker, tx, marker, plan, effects))
            if why and guarded(tx, effects, partial(end_marker, tx, marker, effects, why)):
                effects.lines.append(f"'{marker.id}' can't be looked at: {why}")
        drop_stale(tx.store.home, plan.stale)

    def _next_markers(
        self, effects: Effects, room: Callable[[], int], elsewhere: RoomElsewhere | None
    ) -> Iterator[Marker]:
        """Yield what there is room for, here and elsewhere."""
        while self._markers and room() > 0:
            yield self._markers.popleft()
        for name, markers in self._elsewhere.items():
            while elsewhere is not None and markers and elsewhere(name, effects.claimed) > 0:
                yield markers.popleft()

    def _part(self, tx: Transaction, effects: Effects) -> None:
        """Set aside what will run elsewhere, for which there is other room than for the rest."""
        here: deque[Marker] = deque()
        for marker in self._markers:
            name = self._executor_of(tx, marker, effects) if marker.kind in "cer" else None
            (here if name is None else self._elsewhere.setdefault(name, deque())).append(marker)
        self._markers = here

    def _executor_of(self, tx: Transaction, marker: Marker, effects: Effects) -> str | None:
        from cuectl.cues.rules.record import cue_from_record

        work = (
            tx.decoded(paths.cue(marker.id), cue_from_record)
            if marker.kind == "c"
            else tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
        )
        if work is None or effects.in_force is None:
            return None
        place = placement_of(work.target, work.payload, effects.in_force)
        return None if place is None else executor_name(place)

    def plan_alerts(self, tx: Transaction, effects: Effects) -> None:
        """Print the alerts that are due for it, and have the others delivered."""
        if not self._markers:
            return
        from cuectl.alerts.delivery import deliveries_due
        from cuectl.alerts.rules.alert import stderr_line

        due = deliveries_due(tx, effects.now, self._markers, self._context.in_force.settings)
        effects.lines += [stderr_line(alert) for alert in due.printed]
        effects.deliver = effects.deliver or due.deliver
        drop_stale(tx.store.home, list(due.stale))

    def _can_run(self, target: Record, payload: Record) -> bool:
        return can_run(target, payload, self._context.in_force)

    def may_claim(self, execution: Execution) -> bool:
        """Tell whether this pass takes over an execution that another one left."""
        return self.is_wanted(execution) and self._can_run(execution.target, execution.payload)

    def is_wanted(self, execution: Execution) -> bool:
        """Tell whether this pass was asked for such an execution."""
        wanted = not self._options.executions or execution.id in self._options.executions
        return wanted and self._is_chosen(execution.cue_id, execution.cue_name)

    def _is_chosen(self, cue_id: str, name: str) -> bool:
        only = self._options.only
        return not only or cue_id in only or name in only

    def end_displaced(self, executions: list[str], store: Store, supervisor: Supervisor) -> None:
        """Stop what newer occurrences displaced, here or under another pass."""
        for execution_id in reversed(executions):
            if supervisor.end(execution_id, Cause.CANCEL):
                continue
            record = store.read(paths.open_execution(execution_id))
            if record is not None:
                from cuectl.executions.cancel import pid_of

                execution = execution_from_record(record)
                supervisor.end_orphan(execution, pid_of(store, execution), Cause.CANCEL)

    def has_news(self, store: Store, runtime: Runtime) -> bool:
        """Tell whether something became due, or others changed something, meanwhile."""
        since_s = monotonic_s() - self._listed_s
        if since_s < self._options.poll_s:
            return False
        if store.journal.unread() or since_s > self._longest_nap_s():
            return True
        coming = next_marker_at(store.home, self._listed_at)
        return coming is not None and coming <= runtime.now()

    def wait_for_work(
        self,
        store: Store,
        supervisor: Supervisor,
        runtime: Runtime,
        until_poll_s: float | None = None,
    ) -> None:
        """Wait until the next marker or poll is due, the journal grows, or a signal comes."""
        deadline = next_marker_at(store.home, runtime.now())
        poll_at_s = monotonic_s() + (_LONGEST_NAP_S if until_poll_s is None else until_poll_s)
        while supervisor.stopped_by is None and not store.journal.unread():
            now = runtime.now()
            left_s = (deadline - now) / 1000 if deadline is not None else _LONGEST_NAP_S
            left_s = min(left_s, poll_at_s - monotonic_s())
            if left_s <= 0 or monotonic_s() - self._listed_s > self._longest_nap_s():
                return
            supervisor.wait(min(left_s, self._options.poll_s, self._longest_nap_s()))

    def _longest_nap_s(self) -> float:
        return _LOOK_AT_ORPHANS_S if self.orphans else _LONGEST_NAP_S
