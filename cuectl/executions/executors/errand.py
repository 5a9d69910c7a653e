"""One start on a worker: checked, fenced, run to its end, its result on the disk, then sent.

`start_of` makes the process, which is supervised as in a pass, in a home of its own. If this
process is killed, it leaves a directory from which the worker's janitor finds out the rest.
"""

from __future__ import annotations

import json
import os
from functools import cached_property

from cuectl.definitions.in_force import NOTHING, load_worker_file
from cuectl.executions.attempt_result import file_of, find, hidden, hide_secrets
from cuectl.executions.effects import context_of
from cuectl.executions.executors.cells import Cells, NoAnswer
from cuectl.executions.executors.local import LocalExecutor, SpawnError
from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause, Ended
from cuectl.executions.rules.wire import Dropped, DropReason, Kind, Refusal, RemoteStart
from cuectl.executions.supervise import Supervisor, ended_of
from cuectl.executions.targets import CannotStart, agent_of, can_run, handler_of, start_of
from cuectl.process.runtime import monotonic_s
from cuectl.store import files, output
from cuectl.store.fleet_files import ASKS_VARIABLE, FleetFiles, StartFolder
from cuectl.store.idle import identity
from cuectl.values.errors import CuectlError
from cuectl.values.ids import hex_hash
from cuectl.values.records import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.definitions.in_force import InForce
    from cuectl.executions.attempt_result import AttemptEvidence
    from cuectl.executions.effects import PassContext
    from cuectl.executions.rules.record import Execution
    from cuectl.executions.rules.verification import ArtifactFact
    from cuectl.process.runtime import Runtime

_FENCE_WITHIN_S = 30.0
RESULT_S = 7 * 86_400
_REFUSED_S = 86_400
_LOOK_S = 1.0
_SENT = ("out", "err", "outcome.json", "check.out", "followup.out", "followup.err")


@dataclass(kw_only=True)
class Post:
    """One worker: for which executor, with whose definitions, and where its cells are."""

    runtime: Runtime
    executor: str
    host: str
    config: str  # absolute
    url: str
    secret: str
    umask: int
    labels: tuple[str, ...] = ()
    accept_commands: bool = False
    _known: dict[str, InForce] = field(default_factory=dict)

    @cached_property
    def cells(self) -> Cells:
        """The store between the machines; a forked process must not share the connection."""
        return Cells(self.url, limit_s=5.0)

    @cached_property
    def files(self) -> FleetFiles:
        """What is kept on this machine."""
        return FleetFiles(self.runtime.store.home, self.executor)

    def in_force(self) -> InForce:
        """Return what the worker's file says now. Raises CuectlError: it can't be read."""
        seen = identity(self.config)
        if seen not in self._known:
            self._known.clear()
            self._known[seen] = load_worker_file(self.config, NOTHING)
        return self._known[seen]

    def context(self, folder: StartFolder) -> PassContext:
        """Return what the process of a start is made with: its own home, without our key."""
        context = context_of(self.runtime, self.in_force(), self.host)
        context.home = folder.path
        hidden = (wire.KEY_VARIABLE, ASKS_VARIABLE)
        own = {name: text for name, text in context.environment.items() if name not in hidden}
        context.environment = own
        context.interface = lambda *_: {ASKS_VARIABLE: folder.asks_path}
        return context

    def count(self, why: DropReason) -> None:
        """Count what was dropped, where the control machine sees it."""
        self.cells.ask(("HINCRBY", wire.drops(self.executor), why.value, 1))


def carry_out(site: Post, sealed: str) -> None:
    """Do what a message asks, if it is still needed and ours to do."""
    try:
        start = opened(site, sealed)
        execution = _execution_of(site, start)
        refusal = _refusal(site, start)
        if refusal is not None:
            said = (wire.refused(start.key), f"{refusal} {site.host}", "EX", _REFUSED_S)
            site.cells.ask(("SET", *said))
            return
        nonce = site.runtime.random(12).hex()
        fence = wire.fence_of_worker(site.host, nonce)
        folder = site.files.begin(
            start.key, {"start": sealed, "fence": fence, "boot": site.runtime.store.boot}
        )
        if folder is None or folder.log is None:
            raise Dropped(DropReason.TAKEN)
    except Dropped as dropped:
        site.count(dropped.why)
        return
    try:
        if not _fenced(site, start.key, fence):
            site.files.forget(start.key, None)
            site.count(DropReason.TAKEN)
            return
        context = site.context(folder)
        _lay_out(start, execution, folder)
        ended = _run(site, start, execution, context, folder)
        site.files.spool(start.key, result_of(site, start, execution, context, folder, ended))
    finally:
        # From here on it is the janitor's, finished or not.
        folder.log.close()
    send(site, start.key)


def opened(site: Post, sealed: str | bytes) -> RemoteStart:
    """Return the start in a message. Raises Dropped: forged, late, or of another epoch."""
    start = wire.remote_start_from(wire.unseal(site.secret, Kind.START, sealed))
    if start.executor.partition("/")[0] != site.executor:
        raise Dropped(DropReason.SHAPE, "it is for another executor")
    now, names = site.cells.now_ms(), [wire.epoch(start.store_id), wire.fence(start.key)]
    epoch, fence = site.cells.texts(names)
    if epoch != start.epoch.encode():
        raise Dropped(DropReason.EPOCH)
    if now > start.start_by:
        raise Dropped(DropReason.LATE)
    if fence is not None:
        raise Dropped(DropReason.TAKEN)
    return start


def _execution_of(site: Post, start: RemoteStart) -> Execution:
    """Return the execution of a start, whole. Raises Dropped: its payload is not there."""
    execution = start.execution
    if start.payload_blob is not None:
        (packed,) = site.cells.texts([wire.blob(start.payload_blob)])
        data = wire.unpack((packed or b"").decode("ascii", "replace"), wire.LARGEST_BLOB)
        if hex_hash(data) != start.payload_blob:
            raise Dropped(DropReason.SHAPE, "its payload is not what its hash says")
        execution = replace(execution, payload=json.loads(data))
    return execution_on_worker(start, execution)


def execution_on_worker(start: RemoteStart, execution: Execution) -> Execution:
    """Return an execution as a worker runs it: the control machine says how long it may take."""
    policy = replace(execution.policy, timeout_s=start.timeout_s)
    return replace(execution, policy=policy)


def _refusal(site: Post, start: RemoteStart) -> Refusal | None:
    target, in_force = start.execution.target, site.in_force()
    match target.get("type"):
        case "command":
            return None if site.accept_commands else Refusal.COMMANDS
        case "task" | "agent" if can_run(target, start.execution.payload, in_force):
            own = definition_of(start.execution, in_force)
            differs = start.definition is not None and own != start.definition
            return Refusal.DEFINITION if start.strict and differs else None
        case _:
            return Refusal.NO_HANDLER


def definition_of(execution: Execution, in_force: InForce) -> str | None:
    """Return the hash of the handler or agent of an execution, None for none."""
    who = handler_of(execution, in_force) or agent_of(execution.target, in_force)
    return None if who is None else wire.definition_hash(who)


def _fenced(site: Post, key: str, fence: str) -> bool:
    """Take the fence; tell whether it is ours. Unreachable for long, it is not, as far as we know.

    Then the directory stays, from which the janitor gives back what may have been taken.
    """
    deadline = monotonic_s() + _FENCE_WITHIN_S
    while True:
        try:
            if not site.cells.take(wire.fence(key), fence):
                return False
            site.cells.ask(("SET", wire.lease(key), site.host, "EX", wire.LEASE_S))
        except NoAnswer:
            if monotonic_s() >= deadline:
                raise
            from select import select

            select([], [], [], 0.2)
        else:
            return True


def _lay_out(start: RemoteStart, execution: Execution, folder: StartFolder) -> None:
    """Put the files of a first process where a second one finds them."""
    for suffix, packed in start.files.items():
        if suffix in _SENT:
            path = file_of(folder.path, execution, suffix)
            files.make_directory(os.path.dirname(path))
            files.replace_file(path, wire.unpack(packed))


def _run(
    site: Post, start: RemoteStart, execution: Execution, context: PassContext, folder: StartFolder
) -> Ended:
    """Start the process and wait for the end of its tree."""
    if folder.log is None:
        raise ValueError("it is another's")
    executor = LocalExecutor(folder.log, site.umask)
    supervisor = Supervisor(executor, site.runtime.now)
    supervisor.open()
    try:
        try:
            process = executor.spawn(start_of(execution, context, site.runtime.now()))
        except (CannotStart, SpawnError) as error:
            return Ended(
                execution_id=execution.id,
                attempt=execution.attempt,
                phase=start.phase,
                spawn_error=str(error),
                ended_at=site.runtime.now(),
            )
        supervisor.add(execution, process)
        executor.come_back()
        while not (over := supervisor.collect()):
            if supervisor.stopped_by is not None:
                supervisor.end_all(Cause.SHUTDOWN)
            if cause := folder.read("cause"):
                supervisor.end_all(Cause(cause))
            supervisor.wait(_LOOK_S)
        return ended_of(over[0], site.runtime.now())
    finally:
        supervisor.close()
        executor.close()


def result_of(
    site: Post,
    start: RemoteStart,
    execution: Execution,
    context: PassContext,
    folder: StartFolder,
    ended: Ended,
) -> str:
    """Return everything that a start left, with secrets hidden, sealed."""
    found = find(context, execution)
    hide_secrets(context.home, execution, found.masker)
    sent = {}
    for suffix in _SENT:
        path = file_of(context.home, execution, suffix)
        if length := output.size(path):
            sent[suffix] = wire.pack(_shortened(path, length))
    try:
        offset = site.runtime.now() - site.cells.now_ms()
    except CuectlError:
        offset = 0
    end = wire.RemoteEnd(
        key=start.key,
        epoch=start.epoch,
        host=site.host,
        ended=ended,
        clock_offset_ms=offset,
        files=sent,
        facts=_masked(found),
        asks=tuple(folder.asks()),
        definition=definition_of(execution, context.in_force),
        path=found.path,
    )
    return wire.seal(site.secret, Kind.RESULT, end.to_record())


def _masked(found: AttemptEvidence) -> tuple[ArtifactFact, ...]:
    """Return the facts about files under the names that the masked outcome has for them."""
    return tuple(
        replace(one, name=hidden(one.name, found.masker) or "", path=hidden(one.path, found.masker))
        for one in found.facts
    )


def _shortened(path: str, length: int) -> bytes:
    with files.opened(path) as fd:
        head = os.pread(fd, wire.HEAD_BYTES, 0)
        tail = os.pread(fd, wire.TAIL_BYTES, max(0, length - wire.TAIL_BYTES))
    return wire.shortened(head, tail, length)


def send(site: Post, key: str) -> None:
    """Try to send a result now; it is sent again until it is collected."""
    sealed = site.files.spooled(key)
    if sealed is not None:
        from contextlib import suppress

        with suppress(CuectlError):
            site.cells.ask(("SET", wire.result(key), sealed, "NX", "EX", RESULT_S))
