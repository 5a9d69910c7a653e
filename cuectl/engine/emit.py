"""Events that people and programs send: emitted, started by hand, replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_lookup import find_cue
from cuectl.engine.definitions_in_force import definitions_now
from cuectl.engine.events import RECORDED, Recorded, fresh_id, record_event
from cuectl.engine.fire import fire
from cuectl.engine.listeners import is_subscription
from cuectl.engine.surroundings import context_of
from cuectl.model.errors import Conflict, NotFound, UsageError
from cuectl.model.event import Event, check_type, event_from_record
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.reading import Reader
    from cuectl.store.store import Transaction

Record = dict[str, Any]

EMIT_SOURCE = "/cuectl/emit"
TRIGGER_SOURCE = "/cuectl/trigger"


def emit(
    runtime: Runtime,
    kind: str,
    data: Record,
    *,
    source: str | None = None,
    subject: str | None = None,
    key: str | None = None,
) -> tuple[Recorded, list[str]]:
    """Record an event in one commit; return what became of it, and lines for people.

    Args:
        runtime: of this process.
        kind: its type.
        data: its payload.
        source: who says so, a URI reference.
        subject: what it is about.
        key: a second event of the same source with the same key is not recorded.

    Raises:
        UsageError: it can't be the type of an event.
    """
    check_type(kind)
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        to = _settling(runtime, tx, now)
        event = Event(
            id=fresh_id(now, runtime.random(9)),
            type=kind,
            source=source or EMIT_SOURCE,
            at=now,
            data=data,
            subject=subject,
            key=key,
        )
        recorded = record_event(tx, event, to)
    return recorded, to.lines


def trigger(
    runtime: Runtime, name: str, *, prompt: str | None, agent: str | None
) -> tuple[list[Execution], list[str]]:
    """Start a subscription, or any cue, by hand: paused or not, whatever its filter says.

    Raises:
        NotFound: there is none of that name.
        UsageError: a prompt is given and no agent would get it.
    """
    store, now = runtime.existing_store, runtime.now()
    if store is None:
        raise NotFound(f"no cue named '{name}'", hint="all names: cuectl list")
    with store.transaction(now) as tx:
        cue, state = find_cue(tx, name)
        to = _settling(runtime, tx, now)
        if prompt is not None and cue.target["type"] != "agent":
            raise UsageError(f"'{cue.name}' gives nobody a prompt")
        if not is_subscription(cue):
            if prompt is not None:
                cue = replace(cue, target={**cue.target, "prompt": prompt})
            execution = fire(tx, cue, state, now, runtime.random, triggered_by="trigger")
            return [execution], to.lines
        data: Record = {"manual": True}
        data |= {"cliPrompt": prompt} if prompt is not None else {}
        data |= {"sourceAgentId": agent} if agent is not None else {}
        event = Event(
            id=fresh_id(now, runtime.random(9)),
            type=cue.trigger["event"],
            source=TRIGGER_SOURCE,
            at=now,
            data=data,
            only=cue.name,
        )
        asks = "{{CUE_CLI_PROMPT}}" in str(cue.target).replace(" ", "").upper()
        # A prompt of a subscription that has a place for it is not replaced, but filled in.
        instead = None if asks else prompt
        recorded = record_event(tx, event, to, only=cue, prompt=instead)
    return recorded.executions, to.lines


def replay(runtime: Runtime, identity: str, name: str | None) -> tuple[Recorded, list[str]]:
    """Record an old event anew, for all that listen now, or for one subscription.

    Raises:
        NotFound: there is no such event, or no such subscription.
        Conflict: the cue is not a subscription.
    """
    from cuectl.store.reading import open_reader

    store, now = runtime.existing_store, runtime.now()
    if store is None:
        raise NotFound(f"no event '{identity}'", hint="all of them: cuectl events list")
    old = find_event(open_reader(store), identity)
    with store.transaction(now) as tx:
        to = _settling(runtime, tx, now)
        only = None
        if name is not None:
            only, _ = find_cue(tx, name)
            if not is_subscription(only):
                raise Conflict(f"cue '{only.name}' is not started by events")
        event = replace(
            event_from_record(old),
            id=fresh_id(now, runtime.random(9)),
            at=now,
            only=only.name if only is not None else old.get("cueonly"),
            replay_of=old["id"],
        )
        recorded = record_event(tx, event, to, only=only)
    return recorded, to.lines


def _settling(runtime: Runtime, tx: Transaction, now: int) -> Settling:
    in_force = definitions_now(tx, runtime.home)
    return context_of(runtime, in_force, None, None).settling(now)


# --- looking at them -------------------------------------------------------------------------


def events_newest_first(reader: Reader, kind: str | None = None) -> Iterator[Record]:
    """Yield the recorded events, each with `matched` and `rejected` beside the CloudEvent."""
    import json

    needles: list[tuple[bytes, ...]] = [(f'"type":"{RECORDED}"'.encode(),)]
    if kind is not None:
        needles.insert(0, (f'"type":{json.dumps(kind)}'.encode(),))
    for line in reader.history.newest_first([tuple(needles)]):
        detail = line.get("detail") or {}
        record = detail.get("cloudevent") or {}
        if line["type"] != RECORDED or (kind is not None and record.get("type") != kind):
            continue
        found: Record = {"event": record, "matched": detail.get("matched", [])}
        found |= {"rejected": detail.get("rejected", {})}
        found["refused"] = detail.get("refused", len(found["rejected"]))
        if reference := detail.get("payload_ref"):
            record["dataref"] = paths.payload_file(reader.home, reference)
        yield found


def find_event(reader: Reader, identity: str) -> Record:
    """Return the CloudEvent of an id, or of the beginning of one.

    Raises:
        NotFound: there is none, or there are several.
    """
    return find_recorded(reader, identity)["event"]  # type: ignore[no-any-return]


def find_recorded(reader: Reader, identity: str) -> Record:
    """Return a recorded event by its id, or the beginning of one.

    Raises:
        NotFound: there is none, or there are several.
    """
    found: dict[str, Record] = {}
    for each in events_newest_first(reader) if identity else ():
        event = each["event"]
        if event["id"] == identity:
            return _whole(each, reader.home)
        if event["id"].startswith(identity):
            found.setdefault(event["id"], each)
    if len(found) == 1:
        return _whole(next(iter(found.values())), reader.home)
    if found:
        raise NotFound(f"'{identity}' is the beginning of {len(found)} events")
    raise NotFound(f"no event '{identity}'", hint="all of them: cuectl events list")


def _whole(recorded: Record, home: str) -> Record:
    """Return a recorded event with its payload, read from its file when it has one."""
    from cuectl.store import payload_files

    event = recorded["event"]
    if "data" in event or "dataref" not in event:
        return recorded
    path = event.pop("dataref")
    try:
        digest = path.rpartition("/")[2].removesuffix(".json")
        event["data"] = payload_files.read(home, digest)
    except (OSError, ValueError) as error:
        message = f"the payload of event '{event['id']}' is no longer kept"
        raise NotFound(message, hint=f"it was in '{path}'") from error
    return recorded
