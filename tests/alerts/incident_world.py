"""A store in which ends happen, people acknowledge, and a sink gets what there is to tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cuectl.alerts.alerts import acknowledge, read_alert
from cuectl.alerts.delivery import DeliveryRound, deliveries_due, sink_context
from cuectl.alerts.sinks import NotDelivered
from cuectl.cues.change import stage_delete
from cuectl.cues.create import creation_event
from cuectl.cues.progress import read_cue
from cuectl.definitions.in_force import NOTHING, InForce
from cuectl.definitions.rules.definitions import AlertSink, Definitions, Settings
from cuectl.executions.claim import new_execution, open_event
from cuectl.executions.effects import Effects, ExecutionEnd, Step
from cuectl.executions.rules.record import ExecutionStatus, Policy
from cuectl.executions.settle import finish
from cuectl.passes.reactions import REACTIONS, raise_alerts
from cuectl.store import paths
from cuectl.store.views import due_markers
from tests.alerts.test_alerts import alerts
from tests.fixtures.past import a_cue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.alerts.rules.alert import Alert
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from tests.conftest import ManualClock

OPS = AlertSink(name="ops", kind="command", argv=("true",))
# Verdict to the fields of an execution that ended so.
ENDS: dict[str, tuple[ExecutionStatus, str | None, str | None]] = {
    "passed": (ExecutionStatus.SUCCEEDED, "reported_success", None),
    "verified": (ExecutionStatus.SUCCEEDED, "verified_success", None),
    "unproven": (ExecutionStatus.SUCCEEDED, "verification_failed", "no external id"),
    "unreported": (ExecutionStatus.SUCCEEDED, "unknown", "outcome_timeout"),
    "to-verify": (ExecutionStatus.SUCCEEDED, "verification_pending", None),
    "failed": (ExecutionStatus.FAILED, "reported_failure", "exit status 1"),
    "timed-out": (ExecutionStatus.TIMED_OUT, "reported_failure", "time limit of 1 s exceeded"),
    "interrupted": (ExecutionStatus.INTERRUPTED, "unknown", None),
    "missed": (ExecutionStatus.MISSED, None, "no_handler"),
    "skipped": (ExecutionStatus.SKIPPED, None, "paused"),
    "cancelled": (ExecutionStatus.CANCELLED, "unknown", "you"),
}


class Killed(BaseException):
    """The process that delivers is gone."""


@dataclass
class World:
    """A home with a sink `ops`.

    `messages` is what the sink was given; `refuses` and `dies` say how often it does not take an
    alert, and how often its process is lost after it has.
    """

    runtime: Runtime
    clock: ManualClock
    settings: Settings = field(default_factory=Settings)
    messages: list[tuple[Alert, ...]] = field(default_factory=list)
    refuses: int = 0
    dies: int = 0
    number: int = 0

    @property
    def sent(self) -> list[Alert]:
        """The alerts that the sink was given."""
        return [one for message in self.messages for one in message]

    @property
    def in_force(self) -> InForce:
        """The definitions in force."""
        return replace(
            NOTHING, definitions=Definitions(settings=self.settings, alerts={"ops": OPS})
        )

    def cue(self, **policy: object) -> Cue:
        """Make a cue."""
        return self.cues(1, **policy)[0]

    def cues(self, count: int, **policy: object) -> list[Cue]:
        """Make cues in one change."""
        policed, now = Policy(alert=("ops",), **policy), self.runtime.now()  # type: ignore[arg-type]
        names = [f"job{self.number + each:05}" for each in range(1, count + 1)]
        self.number += count
        made = [a_cue(name, policy=policed) for name in names]
        with self.runtime.store.transaction(now) as tx:
            for cue in made:
                tx.stage(creation_event(tx, cue, now))
        return made

    def state(self, cue: Cue) -> CueState:
        """Return the state of a cue that is there."""
        with self.runtime.store.transaction(self.runtime.now()) as tx:
            known = read_cue(tx, cue.id)
        assert known is not None
        return known[1]

    def _effects(self, now: int) -> Effects:
        return Effects(
            now=now, random=self.runtime.random, reactions=lambda: REACTIONS, in_force=self.in_force
        )

    def starts(self, cue: Cue) -> Execution:
        """Let an execution of a cue start."""
        self.number += 1
        running = new_execution(cue, self.runtime.now(), key=str(self.number))
        state = replace(self.state(cue), running=(running.id,))
        with self.runtime.store.transaction(self.runtime.now()) as tx:
            tx.stage(open_event("claimed", running, {paths.state(cue.id): state.to_record()}))
        return running

    def end(
        self, cue: Cue, verdict: str, *, by: str = "schedule", running: Execution | None = None
    ) -> None:
        """Let an execution of a cue end."""
        self.ends([cue], verdict, by=by, running=running)

    def ends(
        self,
        cues: Sequence[Cue],
        verdict: str,
        *,
        by: str = "schedule",
        running: Execution | None = None,
    ) -> None:
        """Let an execution of each cue end, in one change."""
        status, outcome, reason = ENDS[verdict]
        now = self.runtime.now()
        with self.runtime.store.transaction(now) as tx:
            for cue in cues:
                self.number += 1
                fresh = running or new_execution(cue, now, key=str(self.number))
                done = replace(
                    fresh, status=status, outcome_state=outcome, reason=reason, triggered_by=by,
                    ended_at=now,
                )  # fmt: skip
                said = f"'{cue.name}' found no handler"
                notice = ("missed", said) if verdict == "missed" else None
                gone: Views = {paths.open_execution(done.id): None} if running else {}
                finish(tx, done, self._effects(now), gone, notice=notice)

    def fails_and_is_tried_again(self, cue: Cue) -> None:
        """Let an attempt fail that another one follows."""
        now = self.runtime.now()
        with self.runtime.store.transaction(now) as tx:
            failed = replace(new_execution(cue, now), status=ExecutionStatus.FAILED)
            end = ExecutionEnd(execution=failed, step=Step.NEXT_ATTEMPT)
            raise_alerts(tx, end, self._effects(now))

    def acknowledge(self, cue: Cue) -> None:
        """Let a person acknowledge what is open for a cue."""
        opened = self.state(cue).alerts
        with self.runtime.store.transaction(self.runtime.now()) as tx:
            for _, identity in opened:
                one = read_alert(tx, identity)
                if one is not None:
                    acknowledge(tx, one, self.runtime.now())

    def delete(self, cue: Cue) -> None:
        """Let a person delete a cue."""
        with self.runtime.store.transaction(self.runtime.now()) as tx:
            known = read_cue(tx, cue.id)
            assert known is not None
            stage_delete(tx, *known, self._effects(tx.now))

    def advance(self, seconds: float) -> None:
        """Let time go by, and two passes do what is due."""
        self.clock.advance(seconds)
        self.tick()

    def tick(self) -> None:
        """Do what a pass does about alerts, and deliver."""
        now = self.runtime.now()
        with self.runtime.store.transaction(now) as tx:
            tx.store.flush()
            deliveries_due(tx, now, due_markers(self.runtime.home, now), self.settings)
        around = sink_context(self.runtime, NOTHING)
        try:
            _Round(self, self.runtime, {"ops": OPS}, around).run()
        except Killed:
            self.restart()

    def restart(self) -> None:
        """Go on as processes do that were not there before."""
        self.runtime = replace(self.runtime)

    def alerts(self) -> list[Alert]:
        """Return the alerts on record."""
        return alerts(self.runtime)

    def told(self, cue: Cue) -> list[str]:
        """Return the types of what the sink got about a cue, reminders with an ellipsis."""
        return [
            f"{one.type}{'...' if one.incident and one.type != 'recovered' else ''}"
            for one in self.sent
            if one.cue_id == cue.id
        ]


class _Round(DeliveryRound):
    def __init__(self, world: World, *rest: object) -> None:
        super().__init__(*rest)  # type: ignore[arg-type]
        self.world = world

    def _hand_over(self, name: str, alerts: Sequence[Alert]) -> None:
        if self.world.refuses:
            self.world.refuses -= 1
            raise NotDelivered("no answer")
        self.world.messages.append(tuple(alerts))
        if self.world.dies:
            self.world.dies -= 1
            raise Killed
