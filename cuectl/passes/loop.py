"""A pass: recover, plan, claim, perform, settle, and again while something became due.

One commit for all claims, one for all ends that come within 20 ms. The store lock is never
held while a process is started or waited for (store-protocol.md, part 1, "Pass").
"""

from __future__ import annotations

import contextlib
import os
from collections import deque

from cuectl.executions.effects import PassContext, context_of, why_of
from cuectl.executions.executors.local import LocalExecutor, SpawnError
from cuectl.executions.rules.record import Cause, Ended, Phase
from cuectl.executions.supervise import Supervisor, ended_of
from cuectl.executions.targets import CannotStart, limit_s, start_of
from cuectl.passes import pass_end
from cuectl.passes.completion_batch import CompletionBatch
from cuectl.passes.due_queue import Admission, DueQueue, PassOptions, PassResult
from cuectl.passes.endpoint import Endpoint
from cuectl.process.runtime import monotonic_s
from cuectl.store import home, paths
from cuectl.store.pass_files import PassFile
from cuectl.values.errors import LockTimeout
from cuectl.values.times import HOUR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from cuectl.definitions.in_force import InForce
    from cuectl.events.sources.round import Coming, SourceRound
    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Execution
    from cuectl.passes.away.rounds import Away
    from cuectl.passes.healer import Healer
    from cuectl.passes.in_time import InTime
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Store, Transaction
    from cuectl.store.views import BadView
    from cuectl.values.records import Record

TRIES_AT_THE_END = 3
_LOOK_AT_POLLS_S = 1.0
POLLS = "polls"
# The keys of TIMED and POLLED in `events/sources/`, which few homes need to load.
SOURCE_EVENTS = (
    "app.startup",
    "time.heartbeat",
    "time.scheduled",
    "time.once",
    "file.changed",
    "task.pending",
    "github.pull_request",
    "github.issue",
)


class Pass:
    """One pass over the store."""

    def __init__(
        self, runtime: Runtime, options: PassOptions, definitions: Callable[[], InForce]
    ) -> None:
        self.runtime = runtime
        self.options = options
        self.store = runtime.store
        self._definitions = definitions
        self.healer: Healer | None = None
        self.store.heal = self._heal
        in_force = definitions()
        total = in_force.settings.max_parallel
        slots = min(total, options.max_parallel or total)
        # One that leaves work to others is no sign that anything calls us.
        began = f"{runtime.now()}{'p' if options.is_partial else ''}"
        self.file = PassFile(self.store.home, f"{began}-{os.getpid()}-{slots}")
        self.context: PassContext = context_of(runtime, in_force, options.worker, self.file.id)
        self.admission = Admission(self.file.id, slots, total)
        self.executor = LocalExecutor(self.file, os.umask(0o077))
        self.supervisor = Supervisor(self.executor, runtime.now)
        self.endpoint = Endpoint(runtime, self.file.id, self.supervisor.also)
        self.context.interface = self.endpoint.environment
        self.agenda = DueQueue(self.context, options)
        self.sources: SourceRound | None = None
        self.ends = CompletionBatch(self.context)
        self.in_time: InTime | None = None
        self.ready: deque[Execution] = deque()
        self.away: Away | None = self._away()
        self.result = PassResult()
        self._began_s = monotonic_s()
        if options.watch is not None:
            from cuectl.passes.watching import telling

            self.context.tell = telling(self.context.tell, options.watch)

    def run(self) -> PassResult:
        """Run until nothing is due or runs, a worker until a signal; an error loses no end."""
        self.supervisor.open()
        self.store.watch = self.admission.follow
        try:
            self._begin()
            self._poll_sources()
            while not self._is_over():
                self._perform()
            pass_end.finish(
                self.runtime,
                self.context,
                self.options,
                self.result,
                self.file,
                self._leave_sources,
                self.away,
            )
        finally:
            if self.away is not None:
                self.away.close()
            if self.sources is not None:
                self.sources.leave_scans()
                self.sources.close()
            self.supervisor.close()
            self.executor.close()
            self.endpoint.close()
        return self.result

    def _begin(self) -> None:
        with self._transaction() as tx:
            effects = self._effects()
            self.store.find_missing(effects.now // HOUR)
            pass_end.check_clock(tx, effects)
            self._recover(tx, effects)
            self.agenda.list_due(self.store.home, effects.now)
            if self.away is not None:
                self.away.list_all(tx)
            self._plan(tx, effects)
            self._look_at_sources(tx, effects)
            self._stage_healed(tx, effects)
        if self.options.claimed is not None:
            self.options.claimed(0)
        self._take(effects)
        self._look_after_workflows()

    def _heal(self, bad: BadView) -> Record | None:
        """Repair a damaged view from the journal; few passes meet one."""
        if self.healer is None:
            from cuectl.passes.healer import Healer

            self.healer = Healer(self.store, self.runtime.now)
        return self.healer(bad)

    def _stage_healed(self, tx: Transaction, effects: Effects) -> None:
        if self.healer is not None:
            self.healer.stage(tx, effects)
        if self.store.mended:
            from cuectl.passes.healer import tell_of_mended

            tell_of_mended(tx, effects)

    def _look_after_workflows(self) -> None:
        """Take up runs and queues that no process works on, in processes of their own."""
        if not self.options.is_partial and pass_end.may_have_work(self.store.home):
            from cuectl.workflows.pending_work import look_after

            look_after(self.runtime, self.context.in_force, self.context.tell)

    def _transaction(self) -> AbstractContextManager[Transaction]:
        busy = self.supervisor.count() or self.ends.waiting
        limit = home.SETTLE_LIMIT_S if busy else home.COMMAND_LIMIT_S
        return self.store.transaction(self.runtime.now(), limit_s=limit, flush=False)

    def _effects(self) -> Effects:
        effects = self.context.effects(self.runtime.now())
        if not self.options.is_partial and not self._is_closed():
            effects.room = self._room(effects)
        return effects

    def _room(self, effects: Effects) -> Callable[[], int]:
        return lambda: self.admission.room(
            self._held() + sum(one.executor is None for one in effects.claimed)
        )

    def _away(self) -> Away | None:
        """Return what looks after executions on other machines; few homes have such."""
        known = self.context.in_force.definitions.executors
        if known or home.has_used_executors(self.store.home):
            from cuectl.passes.away.rounds import Away

            wanted = self.agenda.is_wanted
            return Away(self.runtime, self.context, self.ends, self._commit, wanted)
        return None

    def _visit_away(self) -> None:
        if self.away is not None and self.away.is_due and not self._is_closed():
            self.away.visit(self.result)

    def _recover(self, tx: Transaction, effects: Effects) -> None:
        self.admission.forget()
        self.agenda.orphans = False
        if not tx.names("open"):
            return
        from cuectl.passes.recover import recover_open

        expecting: list[Execution] = []

        def see(one: Execution) -> None:
            self.admission.see(one.id, one.pass_id)
            if one.policy.expects:
                expecting.append(one)

        found = recover_open(
            tx,
            effects,
            room=self._room(effects),
            limit_s=lambda execution: limit_s(execution, self.context.in_force),
            seen=see,
            may_claim=self.agenda.may_claim,
        )
        for one in found.lost:
            self.ends.settle_guarded(tx, effects, *one)
            self.result.settled += 1
        for execution, pid in found.overdue:
            self.supervisor.end_orphan(execution, pid)
        for execution in found.alive:
            if (cause := self.ends.cause_to_end(execution, effects.now)) is not None:
                from cuectl.executions.cancel import pid_of

                self.supervisor.end_orphan(execution, pid_of(self.store, execution), cause)
        if expecting:
            from cuectl.alerts.expectations import look_at_runs

            look_at_runs(tx, expecting, effects)
        effects.lines += found.stuck
        self.agenda.orphans = bool(found.alive)

    def _held(self) -> int:
        return len(self.ready) + self.supervisor.count()

    def _plan(self, tx: Transaction, effects: Effects) -> None:
        if not self._is_closed():
            elsewhere = self.away.room if self.away is not None else None
            self.agenda.plan(tx, effects, self._room(effects), elsewhere)

    def _look_at_sources(self, tx: Transaction, effects: Effects) -> None:
        if self._is_closed() or self.options.executions:
            return
        if self.sources is None and _may_have_sources(tx):
            self.sources = self._source_round()
        if self.sources is not None:
            self.sources.look(tx, effects)

    def _source_round(self) -> SourceRound:
        from cuectl.events.sources.round import SourceRound

        also, stays = self.supervisor.also, self.options.stay
        return SourceRound(self.context, only=self.options.only, stays=stays, watched=also)

    def _leave_sources(self, store: Store) -> Coming | None:
        """Note when sources are due again, the lock held; None where there are none."""
        if self.sources is None and os.path.exists(f"{store.home}/{POLLS}"):
            self.sources = self._source_round()
        return None if self.sources is None else self.sources.leave(store)

    def _poll_sources(self) -> None:
        """Start polling the sources that are due, once what was due before is started."""
        if self.sources is None:
            return
        self.sources.close(durable=True)
        if self.sources.has_due:
            self._start_ready()
            self.sources.poll(self._effects())

    def _record_polls(self) -> None:
        """Record what the polls that have ended have found."""
        if self.sources is None or not self.sources.is_polling:
            return
        effects = self._effects()
        if self.sources.polled():
            with self._transaction() as tx:
                effects = self._effects()
                self.sources.record(tx, effects)
                self._stage_healed(tx, effects)
        self.sources.close(durable=True)
        self._take(effects)
        self.sources.poll(self._effects())

    def _is_closed(self) -> bool:
        limit = self.options.max_time_s
        late = limit is not None and monotonic_s() - self._began_s >= limit
        return late or self.supervisor.stopped_by is not None

    def _take(self, effects: Effects) -> None:
        self.ready.extend(one for one in effects.claimed if one.executor is None)
        if self.away is not None:
            self.away.hurry_for(effects)
        self.result.failed |= effects.failed
        for line in effects.lines:
            self.context.tell(line)
        if effects.deliver:
            from cuectl.alerts.delivery import start_delivery

            start_delivery(self.runtime)
        self.agenda.end_displaced(effects.cancel, self.store, self.supervisor)

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
        waits = [] if self.sources is None else [self.sources.until_rest_s()]
        waits += [self._until_away_s()]
        if left := [one for one in waits if one is not None]:
            self.supervisor.wait(min(left))
        return not left

    def _until_away_s(self) -> float | None:
        """Return the seconds until the next look at executors; None when the pass may leave."""
        if self.away is None:
            return None
        return self.away.until_look_s(lingers=self.options.stay or bool(self.options.executions))

    def _is_busy(self) -> bool:
        busy = self._held() or self.ends.waiting or self._is_polling()
        return bool(busy or (self.away is not None and self.away.is_hurried))

    def _is_polling(self) -> bool:
        return self.sources is not None and self.sources.is_polling

    def _close(self) -> None:
        # What was claimed and not started has no line in the spawn log: the next pass takes it.
        self.ready.clear()
        if self.sources is not None:
            self.sources.leave_scans()
        if self.supervisor.stopped_by is not None:
            self.supervisor.end_all(Cause.SHUTDOWN)

    def _look_again(self) -> None:
        if self.options.stay:
            self.context.take_definitions(self._definitions(), self.runtime)
            self.away = self.away or self._away()
            pass_end.leave_heartbeat(self.store.home, self.runtime.now())
        with self._transaction() as tx:
            effects = self._effects()
            self.store.flush()
            if self.options.stay:
                self.store.find_missing(effects.now // HOUR)
                self._recover(tx, effects)
            self.agenda.list_due(self.store.home, effects.now)
            self.agenda.plan_alerts(tx, effects)
            self._plan(tx, effects)
            self._look_at_sources(tx, effects)
            self._stage_healed(tx, effects)
        self._take(effects)
        self._poll_sources()

    def _perform(self) -> None:
        self._start_ready()
        self._visit_away()
        self._look_whether_in_time()
        self._wait()
        self._record_polls()
        for one in self.supervisor.collect():
            self.ends.add(one.execution, ended_of(one, self.runtime.now()))
        self._start_ready()
        at_work = self._held() or self._is_polling()
        if self.options.stay and at_work and self.agenda.has_news(self.store, self.runtime):
            self._look_again()
        nothing_runs = not self.supervisor.count() and not self.ready
        if self.ends.group_is_due(nothing_runs=nothing_runs):
            self._settle(last=nothing_runs)

    def _look_whether_in_time(self) -> None:
        running = self.supervisor.running.values()
        if not any(one.execution.policy.expects for one in running):
            return
        from cuectl.passes.in_time import InTime

        self.in_time = self.in_time or InTime()
        # What can't be told now is reported later; the work continues.
        with contextlib.suppress(OSError, LockTimeout):
            if runs := self.in_time.due(running, self.runtime.now()):
                with self._transaction() as tx:
                    effects = self._effects()
                    self.in_time.look(tx, runs, effects)
                self._take(effects)

    def _start_ready(self) -> None:
        if not self.ready:
            return
        while self.ready and len(self.supervisor.running) < max(1, self.admission.slots_now()):
            self._start(self.ready.popleft())
        self.executor.come_back()

    def _start(self, execution: Execution) -> None:
        if self.admission.is_cancelled(self.store, execution.id):
            self._end_unstarted(execution, "it was cancelled before it started")
            return
        try:
            start = start_of(execution, self.context, self.runtime.now())
            process = self.executor.spawn(start)
        except (CannotStart, SpawnError, OSError) as error:
            self._end_unstarted(execution, str(error))
            return
        # A name or a value that nothing can be done with is the fault of this one alone.
        except Exception as error:  # noqa: BLE001
            self._end_unstarted(execution, why_of(error))
            return
        self.result.started += 1
        self.supervisor.add(execution, process)
        if self.admission.is_cancelled(self.store, execution.id):
            self.supervisor.end(execution.id, Cause.CANCEL)

    def _end_unstarted(self, execution: Execution, why: str) -> None:
        ended = Ended(
            execution_id=execution.id,
            attempt=execution.attempt,
            phase=Phase(execution.phase or Phase.MAIN),
            spawn_error=why,
            ended_at=self.runtime.now(),
        )
        self.ends.add(execution, ended)

    def _wait(self) -> None:
        if self.ends.waiting:
            self.supervisor.wait(self.ends.until_group_s() if self._held() else 0.0)
        elif self._held():
            self._watch_and_wait(self._until_closing_s())
        elif self._is_polling():
            self.supervisor.wait(_LOOK_AT_POLLS_S)
        elif self.options.stay:
            sources = self.sources
            left_s = None if sources is None else sources.until_poll_s(self.runtime.now())
            if (away_s := self._until_away_s()) is not None:
                left_s = away_s if left_s is None else min(left_s, away_s)
            self.agenda.wait_for_work(self.store, self.supervisor, self.runtime, left_s)
            self._look_after_workflows()

    def _watch_and_wait(self, limit_s: float) -> None:
        if self.options.watch is None:
            self.supervisor.wait(limit_s)
            return
        from cuectl.passes.watching import watched

        running = self.supervisor.running.values()
        self.options.watch(watched(running, self.context, self.runtime.now()))
        self.supervisor.wait(min(limit_s, self.options.watch_every_s))

    def _until_closing_s(self) -> float:
        limit = self.options.max_time_s
        if limit is None or not self.ready:
            return 3600.0
        return max(0.0, self._began_s + limit - monotonic_s())

    def _settle(self, *, last: bool) -> None:
        """Settle ends and claim in one commit; if it fails, again, at last thrice (hole A21)."""
        for left in reversed(range(TRIES_AT_THE_END if last else 1)):
            try:
                self._settle_group()
                return
            except (OSError, LockTimeout):
                self.ends.postpone()
                if last and not left:
                    raise

    def _settle_group(self) -> None:
        group = self.ends.group()

        def stage(tx: Transaction, effects: Effects) -> None:
            for end in group:
                self.ends.settle_guarded(tx, effects, *end)

        self._commit(stage, lambda: self.ends.done(len(group)))
        self.result.settled += len(group)

    def _commit(
        self, stage: Callable[[Transaction, Effects], None], done: Callable[[], None] = lambda: None
    ) -> None:
        """Commit a change, and what can be claimed after it."""
        with self._transaction() as tx:
            effects = self._effects()
            stage(tx, effects)
            self.agenda.list_due_again(self.store, effects.now)
            self._plan(tx, effects)
            self._stage_healed(tx, effects)
        done()
        self._take(effects)


def _may_have_sources(tx: Transaction) -> bool:
    """Tell whether something listens to what passes look at, or did so before."""
    if any(tx.read(paths.event_index(event)) for event in SOURCE_EVENTS) or tx.names("sources"):
        return True
    return os.path.exists(f"{tx.store.home}/{POLLS}")
