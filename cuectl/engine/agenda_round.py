"""The markers that a pass works through, and what it does while it has none."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from cuectl.engine.alerts import stderr_line
from cuectl.engine.cancel import pid_of
from cuectl.engine.clock import monotonic_s
from cuectl.engine.deliver import deliveries_due
from cuectl.engine.handler_start import can_run
from cuectl.engine.plan_due import Planning, plan_marker
from cuectl.engine.waiting_deadlines import plan_deadline
from cuectl.model.execution import Execution, Record, execution_from_record
from cuectl.model.start import Cause
from cuectl.store import paths
from cuectl.store.agenda import Marker, drop_stale, due_markers, next_marker_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.pass_options import PassOptions
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.settling import Settling
    from cuectl.engine.supervise import Supervisor
    from cuectl.engine.surroundings import Context
    from cuectl.store.store import Store, Transaction

_RELIST_S = 1.0
_LONGEST_NAP_S = 60.0
_LOOK_AT_ORPHANS_S = 1.0


class AgendaRound:
    """One listing of the agenda, used up marker by marker as room appears.

    Attributes:
        orphans: whether handlers of dead passes still run; nobody tells when they end.
    """

    def __init__(self, context: Context, options: PassOptions) -> None:
        self._context = context
        self._options = options
        self._markers: deque[Marker] = deque()
        self._listed_s = 0.0
        self._listed_at = 0
        self._cancel: list[str] = []
        self.orphans = False

    def list_due(self, home: str, now: int) -> None:
        """List what is due; the views are written."""
        wanted = self._options.executions
        markers = due_markers(home, now)
        self._markers = deque(one for one in markers if not wanted or one.id in wanted)
        self._listed_s = monotonic_s()
        self._listed_at = now

    def list_due_again(self, store: Store, now: int) -> None:
        """List anew when the old listing is used up, at most once a second."""
        if not self._markers and monotonic_s() - self._listed_s >= _RELIST_S:
            store.flush()
            self.list_due(store.home, now)

    def plan(self, tx: Transaction, to: Settling, room: Callable[[], int]) -> None:
        """Stage what the markers ask for, as long as there is room for more claims."""
        context = self._context
        plan = Planning(
            pass_id=context.pass_id or "",
            boot=context.boot,
            worker=context.worker,
            can_run=self._can_run,
            chosen=self._is_chosen,
            no_handler_after_ms=round(context.in_force.settings.no_handler_after_s * 1000),
        )
        while self._markers and room() > 0:
            marker = self._markers.popleft()
            if marker.kind == "w":
                plan_deadline(tx, marker, context, to, plan.stale)
            else:
                plan_marker(tx, marker, plan, to)
        self._cancel += plan.cancel
        drop_stale(tx.store.home, plan.stale)

    def plan_alerts(self, tx: Transaction, to: Settling) -> None:
        """Print the alerts that are to be printed, and see to those that are to be delivered."""
        due = deliveries_due(tx, to.now, self._markers)
        to.lines += [stderr_line(alert) for alert in due.printed]
        to.deliver = to.deliver or due.deliver
        drop_stale(tx.store.home, list(due.stale))

    def _can_run(self, target: Record, payload: Record) -> bool:
        return can_run(target, payload, self._context.in_force)

    def may_claim(self, execution: Execution) -> bool:
        """Tell whether this pass takes an execution on that another one has left."""
        wanted = self._options.executions
        if wanted and execution.id not in wanted:
            return False
        chosen = self._is_chosen(execution.cue_id, execution.cue_name)
        return chosen and self._can_run(execution.target, execution.payload)

    def _is_chosen(self, cue_id: str, name: str) -> bool:
        only = self._options.only
        return not only or cue_id in only or name in only

    def cancelled(self, executions: list[str]) -> None:
        """Note executions that events have displaced; `end_cancelled` ends them."""
        self._cancel += executions

    def end_cancelled(self, store: Store, supervisor: Supervisor) -> None:
        """End what a newer occurrence has displaced, here or under another pass."""
        while self._cancel:
            execution_id = self._cancel.pop()
            if supervisor.end(execution_id, Cause.CANCEL):
                continue
            record = store.read(paths.open_execution(execution_id))
            if record is not None:
                execution = execution_from_record(record)
                supervisor.end_orphan(execution, pid_of(store, execution), Cause.CANCEL)

    def has_news(self, store: Store, runtime: Runtime) -> bool:
        """Tell whether something has become due, or others have changed something, meanwhile."""
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
