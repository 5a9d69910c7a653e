"""Shared state of a pass, and the needs of one change besides the transaction.

A command that settles something has a context too, without a pass id. What follows from an end
or a start is handed in as a list, so that nothing here knows any of it by name
(`passes/reactions.py`).
"""

from __future__ import annotations

import os
import sys
from collections import deque
from enum import StrEnum

from cuectl.definitions.in_force import definitions_now, masker_for
from cuectl.store.views import BadView
from cuectl.values.errors import CuectlError, LockTimeout, StateError
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from cuectl.definitions.in_force import InForce
    from cuectl.events.rules.event import Event
    from cuectl.executions.rules.record import Ended, Execution, Policy
    from cuectl.process.runtime import Runtime
    from cuectl.schedule.calendars import DayRule
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

    Own = TypeVar("Own")
    Result = TypeVar("Result")

_LONGEST_LINE = 600
# A lack of the machine is not the fault of one piece of work, and stops the pass.
_OF_THE_MACHINE = (OSError, MemoryError, StateError, LockTimeout)


class Step(StrEnum):
    """How an execution ended."""

    OVER = "over"  # it is settled
    NEXT_PROCESS = "next_process"  # a second turn, a checker
    NEXT_ATTEMPT = "next_attempt"  # it waits for one
    REPORT = "report"  # it waits for one
    REVISED = "revised"  # settled before; its verdict has changed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEnd:
    """What has ended, and how."""

    execution: Execution  # as it is now; one that has ended still names the children that it held
    step: Step
    ended: Ended | None = None  # None when it had no process
    gone: Views = field(default_factory=dict)  # the place that it leaves, with its markers
    text: str | None = None  # the final text of an agent, when it is at hand
    notice: tuple[str, str] | None = None  # kind and message of the alert that this end is
    is_news: bool = True  # those who listen have not been told yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """What follows from ends and starts, each list in its order.

    Attributes:
        goes_on: asked when an attempt has ended: the first that returns something has staged
            what keeps the execution from being over.
        follows: what ends because of an end is settled with `finish`, in the same group, and
            gets its turn when these are through.
        hears: asked about an event that a parked run may wait for.
        starters: type of target to what makes the process of an attempt from its beginnings.
        deletes: a cue is deleted, with its state.
        deliver: called after a change that has left an alert or a ping to deliver.
    """

    goes_on: tuple[Callable[[Transaction, ExecutionEnd, Effects], ExecutionEnd | None], ...] = ()
    follows: tuple[Callable[[Transaction, ExecutionEnd, Effects], None], ...] = ()
    starts: tuple[Callable[[Transaction, Execution, Effects], None], ...] = ()
    hears: tuple[Callable[[Transaction, Event, Effects], None], ...] = ()
    deletes: tuple[Callable[[Transaction, Any, Any, Effects], None], ...] = ()
    starters: dict[str, Callable[..., Any]] = field(default_factory=dict)
    deliver: Callable[[Runtime], object] | None = None


@dataclass(slots=True, kw_only=True)
class Effects:
    """What one change needs besides the transaction, and its results.

    Attributes:
        now: the instant of the change.
        random: for ids of alerts and events.
        reactions: returns what follows from ends and starts; loaded by the first of them.
        pass_id, boot, worker: of the pass that claims what becomes free; None in a command,
            which leaves that to the next pass.
        in_force: None leaves the limits of agents and what listens to events to the next pass.
        zone: returns that of dates and times in prompts.
        room: how many more executions the pass may claim for what events start; None when it
            leaves all of them to the agenda.
        lines: raised alerts, for the standard error of the pass.
        claimed: executions that this change has claimed for the pass.
        cancel: executions displaced by a newer one, whose processes must end.
        ended: ends whose reactions are still to come.
        deliver: an alert or a ping waits for its delivery.
    """

    now: int
    random: Callable[[int], bytes]
    reactions: Callable[[], Reactions]
    pass_id: str | None = None
    boot: str | None = None
    worker: str | None = None
    in_force: InForce | None = None  # None leaves agents' limits and events to the next pass
    masker: Masker | None = None
    zone: Callable[[], str] = lambda: "UTC"
    room: Callable[[], int] | None = None
    lines: list[str] = field(default_factory=list)
    claimed: list[Execution] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    ended: deque[ExecutionEnd] = field(default_factory=deque)
    failed: bool = False
    deliver: bool = False  # an alert or a ping waits for its delivery
    _is_following: bool = False
    _own: dict[type, Any] = field(default_factory=dict)

    def savepoint(self) -> tuple[list[int], bool, bool]:
        """Return what `take_back` needs."""
        lists = (self.lines, self.claimed, self.cancel, self.ended)
        return [len(one) for one in lists], self.failed, self.deliver

    def take_back(self, savepoint: tuple[list[int], bool, bool]) -> None:
        """Forget the results of the change since then."""
        counts, self.failed, self.deliver = savepoint
        del self.lines[counts[0] :], self.claimed[counts[1] :], self.cancel[counts[2] :]
        while len(self.ended) > counts[3]:
            self.ended.pop()
        # Data read for it may hold something untrue.
        self._own.clear()

    def takes_on(self) -> bool:
        """Tell whether the pass may claim one more execution that an event starts."""
        return self.pass_id is not None and self.room is not None and self.room() > 0

    def masked(self, text: str) -> str:
        """Return a text with secrets hidden."""
        return self.masker.mask(text) if self.masker is not None else text

    def mask_json(self, value: object) -> object:
        """Return a JSON value with secrets hidden."""
        return self.masker.mask_json(value) if self.masker is not None else value

    def day_rule(self, policy: Policy, trigger: Record) -> DayRule | None:
        """Return when a cue may start, None for always."""
        known = self.in_force
        return None if known is None else known.day_rule(policy, trigger, self.zone)

    def free_at(self, policy: Policy, trigger: Record, at: int) -> int | None:
        """Return the first instant from `at` on at which a cue may start; None: there is none."""
        rule = self.day_rule(policy, trigger)
        return at if rule is None else rule.free_at(at)

    def offset_minutes(self) -> int:
        """Return how far local time is from UTC now."""
        from cuectl.schedule.zones import offset_reader
        from cuectl.values.times import MINUTE

        return offset_reader(self.zone())(self.now // MINUTE)

    def own(self, kind: type[Own]) -> Own:
        """Return the one instance of a class that belongs to this change, for what it has read."""
        if kind not in self._own:
            self._own[kind] = kind()
        found: Own = self._own[kind]
        return found

    def follow(self, tx: Transaction, end: ExecutionEnd) -> None:
        """Run all reactions to an end, and to the ends that it causes, in turn.

        Within a reaction the end is only queued behind earlier ones.
        """
        self.ended.append(end)
        if self._is_following:
            return
        self._is_following = True
        try:
            while self.ended:
                one = self.ended.popleft()
                for react in self.reactions().follows:
                    react(tx, one, self)
        finally:
            self._is_following = False


def why_of(error: Exception) -> str:
    """Return the reason of an end that an error is. Raises it: it is the machine's."""
    if isinstance(error, _OF_THE_MACHINE) and not isinstance(error, BadView):
        raise error
    return error.message if isinstance(error, CuectlError) else f"{type(error).__name__}: {error}"


def guarded(tx: Transaction, effects: Effects, act: Callable[[], object]) -> str | None:
    """Do one piece of work; if it fails, take back what it has staged, and return why."""
    staged, before = tx.savepoint(), effects.savepoint()
    try:
        act()
    # Any error concerns only this one piece.
    except Exception as error:  # noqa: BLE001
        why = why_of(error)
        tx.take_back(staged)
        effects.take_back(before)
        return why
    return None


def bare_effects(runtime: Runtime, now: int) -> Effects:
    """Return what a change needs that does not ask the definitions, such as a deletion."""
    return Effects(now=now, random=runtime.random, reactions=runtime.reactions)


@dataclass(slots=True, kw_only=True)
class PassContext:
    """What all parts of a pass share: definitions, environment, secrets, the way to speak.

    Attributes:
        pass_id: None in a command.
        environment: what handlers inherit.
        lookup: returns a name from the environment or from `~/.cue/env`, None when unset.
        program_directory: where `cuectl` is, for handlers with a bare PATH.
        zone: returns that of dates and times in prompts, and loads `zoneinfo` to check it.
        masker: None when no secrets are declared.
        tell: prints a line for people on the standard error.
        clock_offset_ms: how far CUECTL_NOW is from the machine's clock.
        interface: the variables that lead a handler to the interface of its pass.
        for_handlers: the variables that all handlers get, once the first was started.
    """

    home: str
    pass_id: str | None
    boot: str
    in_force: InForce
    environment: Mapping[str, str]
    lookup: Callable[[str], str | None]
    worker: str | None
    program_directory: str
    zone: Callable[[], str]
    masker: Masker | None
    random: Callable[[int], bytes]
    tell: Callable[[str], None]
    clock_offset_ms: int
    reactions: Callable[[], Reactions]
    interface: Callable[[Execution, Mapping[str, str]], dict[str, str]] | None = None
    for_handlers: dict[str, str] | None = None

    @property
    def worker_name(self) -> str:
        """The worker's name for handlers: the machine's where it has none of its own."""
        return self.worker or os.uname().nodename

    @property
    def starters(self) -> Mapping[str, Callable[..., Any]]:
        """Type of target to what makes the process of an attempt from its beginnings."""
        return self.reactions().starters

    def offset_minutes(self, now: int) -> int:
        """Return how far local time is from UTC at an instant."""
        return self.effects(now).offset_minutes()

    def effects(self, now: int) -> Effects:
        """Return what one change needs."""
        return Effects(
            now=now,
            random=self.random,
            reactions=self.reactions,
            pass_id=self.pass_id,
            boot=self.boot,
            worker=self.worker,
            in_force=self.in_force,
            masker=self.masker,
            zone=self.zone,
        )

    def take_definitions(self, in_force: InForce, runtime: Runtime) -> None:
        """Use these definitions from now on: a worker that stays sees what others apply."""
        if in_force != self.in_force:
            fresh = context_of(runtime, in_force, self.worker, self.pass_id)
            self.in_force, self.zone, self.masker = in_force, fresh.zone, fresh.masker
            self.environment, self.lookup = fresh.environment, fresh.lookup
            self.for_handlers = None


def context_of(
    runtime: Runtime, in_force: InForce, worker: str | None = None, pass_id: str | None = None
) -> PassContext:
    """Return the context of a pass, or, without a pass id, of a command."""
    environment = dict(runtime.environment) | runtime.clock.environment()
    env_file: list[dict[str, str]] = []

    def lookup(name: str) -> str | None:
        # A file that others can read is refused only to those who need it.
        if name not in environment and not env_file:
            env_file.append(_env_file(runtime.home))
        return environment[name] if name in environment else env_file[0].get(name)

    def secret(name: str) -> str | None:
        try:
            return lookup(name)
        except (CuectlError, OSError):
            return None

    return PassContext(
        home=runtime.home,
        pass_id=pass_id,
        boot=runtime.store.boot,
        in_force=in_force,
        environment=environment,
        lookup=lookup,
        worker=worker,
        program_directory=program_directory(runtime.home),
        zone=lambda: in_force.settings.timezone or runtime.zone,
        masker=masker_for(in_force.secrets, secret),
        random=runtime.random,
        tell=_tell,
        clock_offset_ms=runtime.clock.offset_ms,
        reactions=runtime.reactions,
    )


def commit_with_effects(
    runtime: Runtime, stage: Callable[[Transaction, PassContext, Effects], Result]
) -> Result:
    """Commit what a command changes about executions; then say and deliver what it has raised."""
    with runtime.store.transaction(runtime.now()) as tx:
        context = context_of(runtime, definitions_now(tx, runtime.home))
        effects = context.effects(tx.now)
        result = stage(tx, context, effects)
    for line in effects.lines:
        context.tell(line)
    deliver = context.reactions().deliver if effects.deliver else None
    if deliver is not None:
        deliver(runtime)
    return result


def _env_file(home: str) -> dict[str, str]:
    if not os.path.lexists(f"{home}/env"):
        return {}
    from cuectl.store.handler_files import read_env_file

    return read_env_file(home)


def program_directory(home: str) -> str:
    """Return where handlers find a `cuectl`, '' when it runs as a module."""
    program = os.path.abspath(sys.argv[0])
    if os.path.basename(program) == "cuectl":
        return os.path.dirname(program)
    if not program.endswith(".pyz"):
        return ""
    from cuectl.store.handler_files import program_folder

    return program_folder(home, [sys.executable, program])


def _tell(line: str) -> None:
    """Print a line for people; what is in it came from outside and is shown, not sent."""
    from cuectl.values.safe_text import one_line

    sys.stderr.write(f"cuectl: {one_line(line, _LONGEST_LINE)}\n")
