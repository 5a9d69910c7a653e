"""Executors for people: what is at each, who works there, whether it answers; a new epoch."""

from __future__ import annotations

from cuectl.alerts.alerts import clear_subject
from cuectl.alerts.rules.alert import AlertType
from cuectl.definitions.in_force import definitions_now
from cuectl.executions.effects import context_of
from cuectl.executions.executors.registry import connect
from cuectl.executions.executors.remote import OutOfReach
from cuectl.executions.rules.placement import executor_name, is_away, label_in
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.passes.away.starts import new_epoch, stage_epoch
from cuectl.store import executor_memory, paths
from cuectl.store.reading import open_reader
from cuectl.values.errors import CuectlError, ExitStatus, NotFound
from cuectl.values.ids import not_found
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cuectl.cues.rules.record import Cue
    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import ExecutorDefinition
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record

REACH_S = 2.0
SEEN_S = 60
_CLOCK_MS = 2_000


class NotReached(CuectlError):
    """An executor does not answer."""

    code = "unreachable"
    exit_status = ExitStatus.PARTLY


def listed(reader: Reader, in_force: InForce, home: str) -> list[Record]:
    """Return a row for each executor: what is there, and whether it answered the last pass."""
    memory = executor_memory.read(home)
    counts = _counts(reader)
    rows = []
    for name, one in sorted(in_force.definitions.executors.items()):
        known = memory.get(name, {})
        down = known.get("down")
        rows.append(
            {
                "name": name,
                "type": one.type,
                "url": one.url,
                **counts.get(name, {"queued": 0, "running": 0}),
                "max_outstanding": one.max_outstanding,
                "unreachable_since": None if down is None else to_text(down),
                "problem": known.get("why"),
            }
        )
    return rows


def _counts(reader: Reader) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name in reader.names("waiting"):
        record = reader.read(f"waiting/{name}")
        execution = execution_from_record(record) if record else None
        if execution is not None and is_away(execution):
            at = executor_name(execution.executor or "")
            row = counts.setdefault(at, {"queued": 0, "running": 0})
            row["running" if execution.status is ExecutionStatus.RUNNING else "queued"] += 1
    return counts


def chosen(in_force: InForce, names: Sequence[str]) -> list[ExecutorDefinition]:
    """Return the executors of these names, all of them for none. Raises NotFound."""
    known = in_force.definitions.executors
    for name in names:
        if name not in known:
            hint = "define it under 'executors' in ~/.cue/cue.yaml"
            raise not_found("executor", name, next(iter(known), None), hint)
    return [known[name] for name in names or sorted(known)]


def ping(runtime: Runtime, in_force: InForce, one: ExecutorDefinition) -> Record:
    """Return whether an executor answers, and what it says of itself and its workers."""
    row: Record = {"name": one.name, "ok": False, "problem": None, "clock_ahead_s": None}
    row |= {"epoch": None, "findings": [], "workers": []}
    try:
        executor = connect(one, context_of(runtime, in_force).lookup, REACH_S)
        try:
            ahead_ms = executor.clock_ms - runtime.now() + runtime.clock.offset_ms
            row |= {"ok": True, "clock_ahead_s": round(ahead_ms / 1000, 1)}
            row["findings"] = executor.findings()
            said = executor.workers()
            row["workers"] = [_worker(host, said[host], executor.clock_ms) for host in sorted(said)]
            row["epoch"] = _epoch_state(runtime, one.name, executor.epoch)
        finally:
            executor.close()
    except OutOfReach as error:
        row |= {"ok": False, "problem": str(error)}
    return row


def _worker(host: str, said: Record, now_ms: int) -> Record:
    seen = said.get("seen_ms")
    return {
        "host": host,
        "labels": [str(one) for one in said.get("labels") or ()],
        "slots": said.get("slots"),
        "running": said.get("running"),
        "handlers": [str(one) for one in said.get("handlers") or ()],
        "seen_s": max(0, now_ms - seen) // 1000 if isinstance(seen, int) else 0,
    }


def _epoch_state(runtime: Runtime, name: str, ask: Callable[[str], str | None]) -> str:
    store = runtime.existing_store
    record = None
    if store is not None:
        with store.locked():
            record = store.read(paths.executor_epoch(name))
    if record is None:
        return "unused"
    word = ask(record["store_id"])
    return "same" if word == record["word"] else "forgotten"


def problems(row: Record, labels: Iterable[str | None]) -> Iterator[tuple[str, str, str]]:
    """Yield the code, the message and the way out of what is wrong with an executor."""
    name = f"executor '{row['name']}'"
    if not row["ok"]:
        yield (
            "executor_unreachable",
            f"{name} can't be reached: {row['problem']}",
            (f"see: cuectl executors ping {row['name']}"),
        )
        return
    for finding in row["findings"]:
        yield "executor_settings", f"{name}: {finding}", "set it in redis.conf; a start may be lost"
    if row["epoch"] == "forgotten":
        words = f"{name} has lost its data; nothing is sent to it"
        yield "executor_forgot", words, f"cuectl executors reset {row['name']}"
    if abs(row["clock_ahead_s"] or 0) * 1000 > _CLOCK_MS:
        words = f"the clock of {name} is {row['clock_ahead_s']:+g} s from this machine's"
        yield "executor_clock", words, "let both keep time by NTP"
    alive = [one for one in row["workers"] if one["seen_s"] <= SEEN_S]
    for label in labels:
        served = [one for one in alive if label in (None, *one["labels"], f"@{one['host']}")]
        if not served:
            what = f"'{row['name']}'" if label is None else f"'{row['name']}/{label}'"
            words = f"no worker of {what} was seen in the last minute"
            more = f" --labels {label}" if label and not label.startswith("@") else ""
            way = f"start one: cuectl executors worker {row['name']}{more}"
            yield "executor_unserved", words, way


def labels_in_use(in_force: InForce, cues: Iterable[Cue], name: str) -> list[str | None]:
    """Return the labels of an executor that anything names, None for any worker."""
    found: dict[str | None, None] = {}
    places = [one.executor for one in in_force.definitions.handlers.values()]
    places += [one.executor for one in in_force.agents.values()]
    for place in (*places, *(cue.target.get("executor") for cue in cues)):
        if place and executor_name(place) == name:
            found[label_in(place)] = None
    return list(found)


def reset(runtime: Runtime, name: str) -> Record:
    """Start a new epoch, so that work is sent again; return its record.

    What was sent before is not sent again: it may have been started. Raises NotFound, NotReached.
    """
    store = runtime.existing_store
    if store is None:
        raise NotFound(f"nothing was ever sent to executor '{name}'")
    in_force = definitions_now(open_reader(store), runtime.home)
    (one,) = chosen(in_force, [name])
    try:
        executor = connect(one, context_of(runtime, in_force).lookup, REACH_S)
        with store.transaction(runtime.now()) as tx:
            before = tx.read(paths.executor_epoch(name)) or {}
            record = new_epoch(runtime, before.get("store_id"))
            stage_epoch(tx, name, record)
            tx.amend(clear_subject(tx, AlertType.EXECUTOR, f"{name} epoch"))
        executor.set_epoch(record["store_id"], record["word"])
        executor.close()
    except OutOfReach as error:
        hint = "start it first; nothing is sent to it until then"
        raise NotReached(f"executor '{name}' can't be reached: {error}", hint=hint) from error
    return {"name": name, "since": to_text(record["since"])}
