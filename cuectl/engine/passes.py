"""A pass: recover, plan, claim, perform, settle, and again while something became due.

One commit for all claims, one for all ends that come within 20 ms. The store lock is never
held while a process is started or waited for (store-protocol.md, part 1, "Pass").
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from cuectl.engine import pass_end
from cuectl.engine.admission import Admission
from cuectl.engine.agenda_round import AgendaRound
from cuectl.engine.clock import monotonic_s
from cuectl.engine.clock_reset import reset_after_future
from cuectl.engine.deliver import start_delivery
from cuectl.engine.endpoint import Endpoint
from cuectl.engine.ends import End, Ends
from cuectl.engine.handler_start import CannotStart, limit_s, start_of
from cuectl.engine.healer import Healer
from cuectl.engine.local_executor import LocalExecutor, SpawnError
from cuectl.engine.pass_options import PassOptions, PassResult
from cuectl.engine.recover import look_at_open
from cuectl.engine.source_round import SourceRound
from cuectl.engine.supervise import Supervisor, ended_of
from cuectl.engine.surroundings import Context, context_of
from cuectl.engine.workflows import lost
from cuectl.model.errors import LockTimeout
from cuectl.model.instants import HOUR, MINUTE
from cuectl.model.start import Cause, Ended, Phase
from cuectl.model.values import replace
from cuectl.store import lock
from cuectl.store.passes import PassFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

TRIES_AT_THE_END = 3
PING_EVERY = 5 * MINUTE


class Pass:
    """One pass over the store."""

    def __init__(
        self, runtime: Runtime, options: PassOptions, definitions: Callable[[], InForce]
    ) -> None:
        self.runtime = runtime
        self.options = options
        self.store = runtime.store
        self._definitions = definitions
        in_force = definitions()
        total = in_force.settings.max_parallel
        slots = min(total, options.max_parallel or total)
        self.file = PassFile(self.store.home, f"{runtime.now()}-{os.getpid()}-{slots}")
        self.context: Context = context_of(runtime, in_force, options.worker, self.file.id)
        self.admission = Admission(self.file.id, slots, total)
        self.executor = LocalExecutor(self.file, os.umask(0o077))
        self.supervisor = Supervisor(self.executor, runtime.now)
        self.endpoint = Endpoint(runtime, self.file.id, self.supervisor.also)
        self.context.around = replace(self.context.around, interface=self.endpoint.environment)
        self.agenda = AgendaRound(self.context, options)
        self.sources = SourceRound(self.context, options)
        self.ends = Ends(self.context)
        self.ready: deque[Execution] = deque()
        self.healer = Healer(self.store, runtime.now)
        self.result = PassResult()
        self._began_s = monotonic_s()
        if options.watch is not None:
            from cuectl.engine.watching import telling

            self.context.tell = telling(self.context.tell, options.watch)

    def run(self) -> PassResult:
        """Run until nothing is due and nothing runs; a worker, until a signal.

        Raises:
            CuectlError, OSError: the pass could not work. What it started is in the spawn
                log, and the next pass settles it.
        """
        self.supervisor.open()
        self.store.watch = self.admission.follow
        self.store.heal = self.healer
        try:
            self._begin()
            self._poll_sources()
            while not self._is_over():
                self._perform()
            self._finish()
        finally:
            self.sources.close()
            self.supervisor.close()
            self.executor.close()
            self.endpoint.close()
        return self.result

    def _finish(self) -> None:
        # Somebody who waits for pings hears from a pass at least every five minutes.
        pinged = self.context.in_force.settings.ping_url is not None
        pass_end.finish(
            self.store,
            self.runtime,
            self.file,
            self.options,
            self.result,
            self.context.tell,
            self.sources.leave,
            PING_EVERY if pinged else HOUR,
        )

    def _begin(self) -> None:
        with self._transaction() as tx:
            to = self._settling()
            reset_after_future(tx, to)
            self._recover(tx, to)
            self.agenda.list_due(self.store.home, to.now)
            self._plan(tx, to)
            self._look_at_sources(tx, to)
            self.healer.stage(tx, to)
        if self.options.claimed is not None:
            self.options.claimed(0)
        self._take(to)
        self._look_after_workflows()

    def _look_after_workflows(self) -> None:
        """Go on with runs and queues that nobody looks after, in processes of their own."""
        chosen = self.options.only or self.options.executions
        if not chosen and lost.may_have_work(self.store.home):
            from cuectl.engine.workflows.recovery import look_after

            look_after(self.runtime, self.context.in_force, self.context.tell)

    def _transaction(self) -> AbstractContextManager[Transaction]:
        busy = self.supervisor.count() or self.ends.waiting
        limit = lock.SETTLE_LIMIT_S if busy else lock.COMMAND_LIMIT_S
        return self.store.transaction(self.runtime.now(), limit_s=limit, flush=False)

    def _settling(self) -> Settling:
        """Return what one change of this pass needs."""
        to = self.context.settling(self.runtime.now())
        chosen = self.options.only or self.options.executions
        if not chosen and not self._is_closed():
            to.room = lambda: self.admission.room(self._held() + len(to.claimed))
        return to

    def _recover(self, tx: Transaction, to: Settling) -> None:
        in_force = self.context.in_force
        self.admission.forget()
        found = look_at_open(
            tx,
            to,
            room=lambda: self.admission.room(self._held() + len(to.claimed)),
            limit_s=lambda execution: limit_s(execution, in_force),
            seen=self._see,
            may_claim=self.agenda.may_claim,
        )
        for execution, ended in found.lost:
            self.ends.settle_one(tx, to, self.ends.look(execution, ended))
            self.result.settled += 1
        for execution, pid in found.overdue:
            self.supervisor.end_orphan(execution, pid)
        to.lines += found.stuck
        self.agenda.orphans = bool(found.alive)

    def _see(self, execution: Execution) -> None:
        queued = execution.status == "queued"
        self.admission.see(execution.id, execution.pass_id, queued=queued)

    def _held(self) -> int:
        return len(self.ready) + self.supervisor.count()

    def _plan(self, tx: Transaction, to: Settling) -> None:
        if not self._is_closed():
            self.agenda.plan(tx, to, lambda: self.admission.room(self._held() + len(to.claimed)))

    def _look_at_sources(self, tx: Transaction, to: Settling) -> None:
        if not self._is_closed():
            self.sources.look(tx, to)

    def _poll_sources(self) -> None:
        """Poll the sources that are due, without the lock, and record what they have found.

        What was due before is started first; and who waits for others comes after who does not.
        """
        self.sources.close(durable=True)
        if not self.sources.has_due:
            return
        self._start_ready()
        for slow in (False, True):
            to = self._settling()
            found = self.sources.poll(to, slow=slow, goes_on=lambda: not self._is_closed())
            if found:
                with self._transaction() as tx:
                    to = self._settling()
                    self.sources.record(tx, to)
                    self.healer.stage(tx, to)
            self.sources.close(durable=True)
            if found:
                self._take(to)
                self._start_ready()

    def _is_closed(self) -> bool:
        """Tell whether nothing may be started any more."""
        limit = self.options.max_time_s
        late = limit is not None and monotonic_s() - self._began_s >= limit
        return late or self.supervisor.stopped_by is not None

    def _take(self, to: Settling) -> None:
        """Go on with what a commit has claimed, and say what it raised."""
        self.ready.extend(to.claimed)
        self.agenda.cancelled(to.cancel)
        self.result.failed |= to.failed
        for line in to.lines:
            self.context.tell(line)
        if to.deliver or any(one.policy.ping_url is not None for one in to.claimed):
            start_delivery(self.runtime)
        self.agenda.end_cancelled(self.store, self.supervisor)

    # --- the loop -------------------------------------------------------------------------

    def _is_over(self) -> bool:
        """Tell whether all is done, after one more look at the agenda."""
        if self._is_closed():
            self._close()
        if self._is_busy():
            return False
        if self._is_closed():
            self.result.signal = self.supervisor.stopped_by
            return True
        self._look_again()
        if self._is_busy() or self.options.stay:
            return False
        left_s = self.sources.until_rest_s()
        if left_s is None:
            return True
        self.supervisor.wait(left_s)
        return False

    def _is_busy(self) -> bool:
        return bool(self._held() or self.ends.waiting)

    def _close(self) -> None:
        # What was claimed and not started has no line in the spawn log: the next pass takes it.
        self.ready.clear()
        if self.supervisor.stopped_by is not None:
            self.supervisor.end_all(Cause.SHUTDOWN)

    def _look_again(self) -> None:
        if self.options.stay:
            self.context.take_definitions(self._definitions(), self.runtime)
            pass_end.leave_heartbeat(self.store.home, self.runtime.now())
        with self._transaction() as tx:
            to = self._settling()
            self.store.flush()
            if self.options.stay:
                self._recover(tx, to)
            self.agenda.list_due(self.store.home, to.now)
            self.agenda.plan_alerts(tx, to)
            self._plan(tx, to)
            self._look_at_sources(tx, to)
            self.healer.stage(tx, to)
        self._take(to)
        self._poll_sources()

    def _perform(self) -> None:
        self._start_ready()
        self._wait()
        for one in self.supervisor.collect():
            self.ends.add(one.execution, ended_of(one, self.runtime.now()))
        self._start_ready()
        if self.options.stay and self._held() and self.agenda.has_news(self.store, self.runtime):
            self._look_again()
        nothing_runs = not self.supervisor.count() and not self.ready
        if self.ends.group_is_due(nothing_runs=nothing_runs):
            self._settle(last=nothing_runs)

    def _start_ready(self) -> None:
        if not self.ready:
            return
        while self.ready and len(self.supervisor.running) < max(1, self.admission.slots_now()):
            self._start(self.ready.popleft())
        self.executor.come_back()

    def _start(self, execution: Execution) -> None:
        if self.admission.is_cancelled(self.store, execution.id):
            why = "it was cancelled before it started"
            self.ends.add(execution, self._unstarted(execution, why))
            return
        try:
            start = start_of(execution, self.context.around, self.runtime.now())
            process = self.executor.spawn(start)
        except (CannotStart, SpawnError, OSError) as error:
            self.ends.add(execution, self._unstarted(execution, str(error)))
            return
        self.result.started += 1
        self.supervisor.add(execution, process)
        if self.admission.is_cancelled(self.store, execution.id):
            self.supervisor.end(execution.id, Cause.CANCEL)

    def _unstarted(self, execution: Execution, why: str) -> Ended:
        return Ended(
            execution_id=execution.id,
            attempt=execution.attempt,
            phase=Phase(execution.phase) if execution.phase else Phase.MAIN,
            spawn_error=why,
            ended_at=self.runtime.now(),
        )

    def _wait(self) -> None:
        if self.ends.waiting:
            self.supervisor.wait(self.ends.until_group_s() if self._held() else 0.0)
        elif self._held():
            self._watch_and_wait(self._until_closing_s())
        elif self.options.stay:
            left_s = self.sources.until_poll_s(self.runtime.now())
            self.agenda.wait_for_work(self.store, self.supervisor, self.runtime, left_s)
            self._look_after_workflows()

    def _watch_and_wait(self, limit_s: float) -> None:
        """Wait for what runs; where somebody watches, show it again and again."""
        if self.options.watch is None:
            self.supervisor.wait(limit_s)
            return
        from cuectl.engine.watching import LOOK_EVERY_S, watched

        running = self.supervisor.running.values()
        self.options.watch(watched(running, self.context, self.runtime.now()))
        self.supervisor.wait(min(limit_s, LOOK_EVERY_S))

    def _until_closing_s(self) -> float:
        limit = self.options.max_time_s
        if limit is None or not self.ready:
            return 3600.0
        return max(0.0, self._began_s + limit - monotonic_s())

    def _settle(self, *, last: bool) -> None:
        """Settle a group of ends, and claim what they made room for, in one commit.

        A commit that fails is tried again with the next group; when nothing runs any more,
        three times. After that the spawn log and the outcome files are there for the next
        pass (hole A21).
        """
        tries = TRIES_AT_THE_END if last else 1
        for left in reversed(range(tries)):
            try:
                self._settle_group()
            except (OSError, LockTimeout):
                self.ends.postpone()
                if last and not left:
                    raise
            else:
                return

    def _settle_group(self) -> None:
        group: list[End] = self.ends.group()
        with self._transaction() as tx:
            to = self._settling()
            for end in group:
                self.ends.settle_one(tx, to, end)
            self.agenda.list_due_again(self.store, to.now)
            self._plan(tx, to)
            self.healer.stage(tx, to)
        self.ends.done(group)
        self.result.settled += len(group)
        self._take(to)
