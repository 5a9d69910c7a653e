"""A pass's work on executions of other machines: send, look, collect, give up, release.

They are under `waiting/` and belong to no pass: any pass handles them. No engine is queried with
the store lock held. Everything sent is recorded first; every end is recorded before its worker may
forget it; and everything may be done twice (reference/fleet.md 7).
"""

from __future__ import annotations

from functools import partial

from cuectl.executions.executors.registry import connect
from cuectl.executions.executors.remote import OutOfReach
from cuectl.executions.rules.placement import (
    GRACE_MS,
    REPUBLISH_MS,
    as_sent,
    executor_name,
    is_away,
    key_of,
    label_in,
)
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.passes.away import ends as away_ends
from cuectl.passes.away import starts as away_starts
from cuectl.passes.away.farm import Farm
from cuectl.passes.due_queue import PassResult
from cuectl.process.runtime import monotonic_s
from cuectl.store import executor_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.executors.remote import RemoteExecutor
    from cuectl.executions.rules.record import Execution
    from cuectl.passes.away.farm import Commit, Stage
    from cuectl.passes.completion_batch import CompletionBatch
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Store, Transaction


LIMIT_S = 10.0
_LOOK_EVERY_S = (0.2, 2.0)
_GROUP = 256
_ALERT_AFTER_MS = 300_000


class Away:
    """The executions elsewhere, for one pass."""

    def __init__(
        self,
        runtime: Runtime,
        context: PassContext,
        ends: CompletionBatch,
        commit: Commit,
        wanted: Callable[[Execution], bool],
    ) -> None:
        self._runtime = runtime
        self._context = context
        self._ends = ends
        self._commit = commit
        self._wanted = wanted
        self._farms: dict[str, Farm] = {}
        self._next_s = 0.0
        self._wait_s = _LOOK_EVERY_S[0]
        self._began_s = monotonic_s()
        self._result = PassResult()

    def hurry_for(self, effects: Effects) -> None:
        """Look again at once, if something was claimed for elsewhere, or displaced."""
        if effects.cancel or any(one.executor is not None for one in effects.claimed):
            self._next_s = 0.0

    @property
    def is_hurried(self) -> bool:
        """Whether there is work to do before the pass may end."""
        return self._next_s == 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return monotonic_s() >= self._next_s

    def until_look_s(self, *, lingers: bool) -> float | None:
        """Return the seconds until the next look; None when the pass may leave."""
        waits = [self._lingers_s(farm) for farm in self._farms.values() if farm.there]
        if not waits or not (lingers or max(waits) > monotonic_s() - self._began_s):
            return None
        return max(0.0, self._next_s - monotonic_s())

    def _lingers_s(self, farm: Farm) -> float:
        return farm.definition.linger_s if farm.definition is not None else 0.0

    def room(self, name: str, claimed: Iterable[Execution] = ()) -> int:
        """Return how many more an executor may get."""
        definition = self._context.in_force.definitions.executors.get(name)
        farm = self._farms.get(name)
        known = set(farm.there) if farm is not None else set()
        known |= {key_of(one) for one in claimed if executor_name(one.executor or "") == name}
        return definition.max_outstanding - len(known) if definition is not None else 1

    def list_all(self, tx: Transaction) -> None:
        """Read all that is elsewhere; the lock is held."""
        memory = executor_memory.read(self._context.home)
        definitions = self._context.in_force.definitions.executors
        before, self._farms = self._farms, {}

        def farm_of(name: str) -> Farm:
            if name not in self._farms:
                farm = Farm(name, definitions.get(name), memory.get(name, {}))
                old = before.get(name)
                if old is not None and old.definition == farm.definition:
                    farm.executor, farm.clock_offset_ms = old.executor, old.clock_offset_ms
                    farm.memory, farm.sights = old.memory, old.sights
                elif old is not None and old.executor is not None:
                    old.executor.close()
                self._farms[name] = farm
            return self._farms[name]

        for name in (*memory, *before):
            farm_of(name)
        for name in tx.names("waiting"):
            execution = tx.decoded(f"waiting/{name}", execution_from_record)
            if execution is not None and is_away(execution):
                farm_of(executor_name(execution.executor or "")).there[key_of(execution)] = (
                    execution
                )
        for name in tx.names("executors"):
            record = tx.read(f"executors/{name}")
            if record is not None and name.startswith("late."):
                farm_of(record["executor"]).late[record["key"]] = record

    def visit(self, result: PassResult) -> None:
        """Do the work at each executor; one that does not answer stops no other."""
        self._result = result
        store = self._runtime.store
        with store.locked():
            self.list_all_locked(store)
        before = (result.settled, result.started)
        self._next_s = 1.0
        for farm in list(self._farms.values()):
            try:
                self._give_up_unsent(farm)
                self._visit(farm)
                self._told_of_silence(farm)
            except OutOfReach as error:
                self._tell_of_silence(farm, error)
        self._remember()
        if (result.settled, result.started) != before:
            with store.locked():
                self.list_all_locked(store)
        first, longest = _LOOK_EVERY_S
        news = (result.settled, result.started) != before
        self._wait_s = first if news else min(longest, self._wait_s * 1.5)
        if self._next_s:
            self._next_s = monotonic_s() + self._wait_s

    def list_all_locked(self, store: Store) -> None:
        """Read all that is elsewhere, outside a change."""
        from cuectl.store.store import Transaction

        self.list_all(Transaction(store, self._runtime.now()))

    def _visit(self, farm: Farm) -> None:
        mine = {key: one for key, one in farm.there.items() if self._wanted(one)}
        gone = [key for key in farm.keys if key not in farm.there and key not in farm.late]
        if not (mine or farm.late or gone):
            return
        executor, now = self._connected(farm), self._runtime.now()
        farm.epoch = away_starts.epoch_of(farm, executor, self._runtime, self._commit)
        if gone:
            executor.take(gone)
            for key in gone:
                del farm.keys[key]
        keys = [*mine, *farm.late]
        farm.sights = dict(zip(keys, executor.look(keys), strict=True)) if keys else {}
        failed = None
        try:
            self._publish(farm, mine, executor, now)
        except OutOfReach as error:
            # The broker may be down while results are available.
            failed = error
        self._sort_out(farm, mine, executor, now)
        if failed is not None:
            raise failed

    def _connected(self, farm: Farm) -> RemoteExecutor:
        if farm.definition is None:
            raise OutOfReach("it is not defined any more")
        if farm.executor is None:
            farm.executor = connect(farm.definition, self._context.lookup, LIMIT_S)
            farm.clock_offset_ms = farm.executor.clock_ms - self._runtime.now()
        return farm.executor

    def _publish(
        self, farm: Farm, mine: dict[str, Execution], executor: RemoteExecutor, now: int
    ) -> None:
        epoch = farm.epoch
        if epoch is None or epoch.is_forgotten:
            return
        fresh = [one for one in mine.values() if one.published_at is None and not one.cancel]
        # What may be there is on record, and remembered, before it can be.
        if fresh:
            self._commit(partial(away_starts.stage_sent, fresh))
            for execution in fresh:
                sent = as_sent(execution, self._runtime.now())
                farm.there[key_of(execution)] = mine[key_of(execution)] = sent
        others = away_starts.turned_to(farm, mine, executor)
        due = [
            one
            for key, one in mine.items()
            if one.status is ExecutionStatus.QUEUED
            and not one.cancel
            and one.published_at is not None
            and one.published_at >= epoch.since
            and now < (one.start_by or 0)
            and (key in others or now - farm.keys.get(key, {}).get("sent", 0) >= REPUBLISH_MS)
        ]
        if not due:
            return
        for one in due:
            farm.keys.setdefault(key_of(one), {})
        self._remember()
        start_of = partial(away_starts.remote_start, farm=farm, context=self._context)
        executor.publish(
            (start_of(one), others.get(key_of(one)) or label_in(one.executor or "")) for one in due
        )
        self._result.started += len(fresh)
        for one in due:
            farm.keys[key_of(one)]["sent"] = now

    def _sort_out(
        self, farm: Farm, mine: dict[str, Execution], executor: RemoteExecutor, now: int
    ) -> None:
        """Decide the fate of each by what was seen, then record it."""
        over: list[Stage] = []
        taken: list[str] = []
        for key, execution in mine.items():
            sight = farm.sights[key]
            if sight.forged is not None:
                away_ends.tell_of_forgery(farm, key, sight.forged, self._commit)
            if sight.end is not None:
                away_ends.write_files(self._context.home, execution, sight.end)
                look = away_ends.evidence(self._ends, execution, sight.end)
                over.append(partial(self._settle, execution, sight.end, look))
            elif execution.published_at is None:
                continue
            elif (stage := self._unfinished(farm, key, execution, executor, now)) is not None:
                over.append(stage)
                if not (sight.is_started or execution.status is ExecutionStatus.RUNNING):
                    taken.append(key)
        for key, record in farm.late.items():
            end = farm.sights[key].end
            if end is not None or now > record["until"]:
                over.append(
                    partial(away_ends.revise_late, record, end, self._context, self._runtime)
                )
        for place in range(0, len(over), _GROUP):
            group = over[place : place + _GROUP]
            self._commit(partial(_all_of, group))
        done = [key for key, one in farm.sights.items() if one.end is not None]
        self._result.settled += len(done)
        if done or taken:
            executor.take([*done, *taken])
            for key in (*done, *taken):
                farm.keys.pop(key, None)
                farm.there.pop(key, None)
                farm.late.pop(key, None)

    def _settle(
        self, execution: Execution, end: object, look: object, tx: Transaction, effects: Effects
    ) -> None:
        away_ends.settle_end(execution, end, look, self._context, tx, effects)  # type: ignore[arg-type]

    def _unfinished(
        self, farm: Farm, key: str, execution: Execution, executor: RemoteExecutor, now: int
    ) -> Stage | None:
        """Return what to record of an execution that has not ended; None for nothing."""
        sight, known = farm.sights[key], farm.keys.setdefault(key, {})
        late = execution.report_until is not None and now >= execution.report_until
        if not sight.is_started and execution.status is ExecutionStatus.QUEUED:
            if not (sight.is_withdrawn or execution.cancel or late):
                return None
            if sight.is_withdrawn or executor.withdraw(key):
                forgot = farm.epoch is not None and (
                    farm.epoch.is_forgotten or (execution.published_at or 0) < farm.epoch.since
                )
                return partial(away_ends.never_started, execution, sight, forgot=forgot)
            return None
        if (execution.cancel or late) and "cancelled" not in known:
            executor.cancel(key)
            known["cancelled"] = now
        if sight.beats:
            known.pop("silent", None)
        lost_ms = round((farm.definition.lost_after_s if farm.definition else 0) * 1000)
        since = known.setdefault("silent", now) if not sight.beats else now
        if now - since >= lost_ms:
            return partial(away_ends.lose, execution, sight, lost_ms, self._context)
        stages: list[Stage] = []
        if execution.status is ExecutionStatus.QUEUED:
            stages.append(partial(away_ends.stage_started, execution, sight, self._context))
        if len(sight.asks) > known.get("asks", 0):
            stages.append(partial(away_ends.commit_asks, execution, sight.asks))
            known["asks"] = len(sight.asks)
        return partial(_all_of, stages) if stages else None

    def _give_up_unsent(self, farm: Farm) -> None:
        """End cancelled or late work that no executor knows: not sent, or no executor."""
        now = self._runtime.now()
        over = [
            one
            for one in farm.there.values()
            if (one.published_at is None or farm.definition is None)
            and (one.cancel or now >= (one.report_until or now))
            and self._wanted(one)
        ]
        for place in range(0, len(over), _GROUP):
            group = [
                partial(away_ends.never_started, one, None, forgot=one.published_at is not None)
                for one in over[place : place + _GROUP]
            ]
            self._commit(partial(_all_of, group))
        for one in over:
            del farm.there[key_of(one)]
        self._result.settled += len(over)

    def _tell_of_silence(self, farm: Farm, error: OutOfReach) -> None:
        """Remember since when an executor is silent, and raise an alert in time."""
        if farm.executor is not None:
            farm.executor.close()
            farm.executor = None
        now, farm.sights = self._runtime.now(), {}
        since = farm.memory.setdefault("down", now)
        farm.memory["why"] = str(error)
        for known in farm.keys.values():
            known.pop("silent", None)  # it can't be heard
        if now - since >= _ALERT_AFTER_MS and farm.there:
            away_ends.raise_once(farm.name, f"can't be reached: {error}", self._commit, "reach")

    def _told_of_silence(self, farm: Farm) -> None:
        farm.memory.pop("why", None)
        if farm.memory.pop("down", None) is not None:
            away_ends.clear(farm.name, self._commit, "reach")

    def _remember(self) -> None:
        memory = {name: one.memory for name, one in self._farms.items() if _is_worth_it(one)}
        executor_memory.write(self._context.home, memory)

    def leave(self) -> int | None:
        """Leave what a quiet look needs, the lock held; return when a full pass is needed.

        None: when nothing is elsewhere. Zero: at once, as no quiet look will do.
        """
        at: list[int] = []
        lines: list[str] = []
        for farm in self._farms.values():
            if not (farm.there or farm.late):
                continue
            look = None
            if (
                farm.executor is not None
                and farm.there.keys() | farm.late.keys() <= farm.sights.keys()
            ):
                keys = farm.there.keys() | farm.late.keys()
                look = farm.executor.quiet_look({key: farm.sights[key] for key in sorted(keys)})
            lines += look or []
            at += [0] if look is None else [*self._times(farm)]
        executor_memory.write_look(self._context.home, [] if 0 in at else lines)
        return min(at, default=None)

    def _times(self, farm: Farm) -> Iterable[int]:
        lost_ms = round((farm.definition.lost_after_s if farm.definition else 0) * 1000)
        yield self._runtime.now() + 3_600_000
        for key, execution in farm.there.items():
            known = farm.keys.get(key, {})
            if execution.status is ExecutionStatus.QUEUED:
                yield known.get("sent", 0) + REPUBLISH_MS
            if "silent" in known:
                yield known["silent"] + lost_ms
            if execution.report_until is not None:
                yield max(execution.report_until, self._runtime.now() + GRACE_MS)

    def close(self) -> None:
        """Close the connections."""
        for farm in self._farms.values():
            if farm.executor is not None:
                farm.executor.close()


def _is_worth_it(farm: Farm) -> bool:
    return bool(farm.memory.get("keys") or "down" in farm.memory or farm.there)


def _all_of(stages: Sequence[Stage], tx: Transaction, effects: Effects) -> None:
    for stage in stages:
        stage(tx, effects)
