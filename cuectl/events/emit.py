"""Events that people and programs send: emitted, started by hand, replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cues.fire import fire
from cuectl.cues.lookup import find_cue, no_cue
from cuectl.cues.progress import read_cue
from cuectl.definitions.source_files import config_records
from cuectl.events.events import fresh_id, record_event
from cuectl.events.lines import RECORDED, Recorded, is_subscription
from cuectl.events.rules.event import COMPLETED, Event, check_type, event_from_record
from cuectl.executions.effects import commit_with_effects
from cuectl.store import paths
from cuectl.values.errors import NotFound, UsageError
from cuectl.values.ids import by_start, not_found
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cues.rules.record import Cue
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

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
) -> Recorded:
    """Record an event. Raises UsageError: it can't be a type."""
    check_type(kind)

    def stage(tx: Transaction, _: PassContext, effects: Effects) -> Recorded:
        event = Event(
            id=fresh_id(tx.now, runtime.random(9)),
            type=kind,
            source=source or EMIT_SOURCE,
            at=tx.now,
            data=data,
            subject=subject,
            key=key,
        )
        return record_event(tx, event, effects)

    return commit_with_effects(runtime, stage)


def trigger(
    runtime: Runtime, name: str, *, prompt: str | None, agent: str | None
) -> list[Execution]:
    """Start a cue or a pipeline by hand, even a paused one.

    Raises NotFound; UsageError: it takes no prompt.
    """
    if runtime.existing_store is None:
        raise no_cue(name)
    more = {"cliPrompt": prompt, "sourceAgentId": agent}
    data = {"manual": True} | {key: text for key, text in more.items() if text is not None}

    def stage(tx: Transaction, _: PassContext, effects: Effects) -> list[Execution]:
        cue = _named(tx, name)
        if prompt is not None and cue.target["type"] != "agent":
            raise UsageError(f"'{cue.name}' has no prompt to give")
        if prompt is not None and not prompt.strip():
            raise UsageError("the prompt is empty")
        from cuectl.events.rules.templates import misspelt

        if prompt is not None and (error := misspelt(prompt)):
            raise error
        if not is_subscription(cue):
            own = {} if prompt is None else {"prompt": prompt}
            cue, state = replace(cue, target=cue.target | own), find_cue(tx, cue.id)[1]
            return [fire(tx, cue, state, tx.now, runtime.random, triggered_by="trigger")]
        made: list[Execution] = []
        for one in _beside(tx, cue) if prompt is None else [cue]:
            event = Event(
                id=fresh_id(tx.now, runtime.random(9)),
                type=one.trigger["event"],
                source=TRIGGER_SOURCE,
                at=tx.now,
                data=data,
                only=one.name,
            )
            # A prompt of a subscription that has a place for it is filled in, not replaced.
            has_place = "{{CUE_CLI_PROMPT}}" in str(one.target).replace(" ", "").upper()
            said = None if has_place else prompt
            made += record_event(tx, event, effects, only=one, prompt=said).executions
        return made

    return commit_with_effects(runtime, stage)


_NOT_OF_THE_TRIGGER = ("directory", "enabled", "queue_size", "cli_output")


def _named(tx: Transaction, name: str) -> Cue:
    """Return the cue of a name, else the first that starts the pipeline of that name."""
    try:
        return find_cue(tx, name)[0]
    except NotFound:
        begin = (one for one in _beginnings(tx) if one.trigger.get("pipeline_name") == name)
        if (first := next(begin, None)) is None:
            raise
        return first


def _beside(tx: Transaction, cue: Cue) -> list[Cue]:
    """Return what one event starts together: the branches of a pipeline with the same trigger."""

    def kind(one: Cue) -> object:
        trigger = {k: v for k, v in one.trigger.items() if k not in _NOT_OF_THE_TRIGGER}
        return trigger, one.description

    if cue.trigger["event"] == COMPLETED or "pipeline_name" not in cue.trigger:
        return [cue]
    return [one for one in _beginnings(tx) if kind(one) == kind(cue)]


def _beginnings(tx: Transaction) -> list[Cue]:
    """Return the subscriptions that no agent's end starts, in the order of their files."""
    ids = [identity for one in config_records(tx) for identity in one["cues"].values()]
    cues = [known[0] for each in ids if (known := read_cue(tx, each)) is not None]
    return [one for one in cues if is_subscription(one) and one.trigger["event"] != COMPLETED]


def replay(runtime: Runtime, identity: str, name: str | None) -> Recorded:
    """Record an event again, for all or one. Raises NotFound; Conflict: it is no subscription."""
    from cuectl.events.subscriptions import check_subscription
    from cuectl.store.reading import open_reader

    store = runtime.existing_store
    if store is None:
        raise _no_event(identity)
    old = find_recorded(open_reader(store), identity)["event"]

    def stage(tx: Transaction, _: PassContext, effects: Effects) -> Recorded:
        only = find_cue(tx, name)[0] if name is not None else None
        if only is not None:
            check_subscription(only)
        event = replace(
            event_from_record(old),
            id=fresh_id(tx.now, runtime.random(9)),
            at=tx.now,
            only=only.name if only is not None else old.get("cueonly"),
            replay_of=old["id"],
        )
        return record_event(tx, event, effects, only=only)

    return commit_with_effects(runtime, stage)


def events_newest_first(reader: Reader, kind: str | None = None) -> Iterator[Record]:
    """Yield the recorded events, each with `matched` and `rejected` beside the CloudEvent."""
    import json

    kinds = [RECORDED] if kind is None else [kind, RECORDED]
    needles = tuple((f'"type":{json.dumps(each)}'.encode(),) for each in kinds)
    for line in reader.history.newest_first([needles]):
        detail = line.get("detail") or {}
        record = detail.get("cloudevent") or {}
        if line["type"] != RECORDED or (kind is not None and record.get("type") != kind):
            continue
        if reference := detail.get("payload_ref"):
            record["dataref"] = paths.payload_file(reader.home, reference)
        rejected = detail.get("rejected", {})
        found: Record = {"event": record, "matched": detail.get("matched", [])}
        yield found | {"rejected": rejected, "refused": detail.get("refused", len(rejected))}


def event_in(line: Record, kind: str, home: str) -> Record | None:
    """Return the CloudEvent in a line of the journal; None when all do not hear of one of a type.

    Raises NotFound: its payload is no longer kept.
    """
    detail = line.get("detail") or {}
    record: Record = detail.get("cloudevent") or {}
    if line["type"] != RECORDED or record.get("type") != kind or "cueonly" in record:
        return None
    if reference := detail.get("payload_ref"):
        record["dataref"] = paths.payload_file(home, reference)
    whole: Record = _whole({"event": record}, home)["event"]
    return whole


def find_recorded(reader: Reader, identity: str) -> Record:
    """Return an event by its id, or its beginning. Raises NotFound: there is none, or several."""
    found: dict[str, Record] = {}
    for each in events_newest_first(reader) if identity else ():
        event_id = each["event"]["id"]
        if event_id == identity:
            return _whole(each, reader.home)
        if event_id.startswith(identity):
            found.setdefault(event_id, each)
    event_id = by_start(identity, identity, found)
    if event_id is None:
        raise _no_event(identity)
    return _whole(found[event_id], reader.home)


def _no_event(identity: str) -> NotFound:
    return not_found("event", identity, None, "all of them: cuectl events list")


def _whole(recorded: Record, home: str) -> Record:
    from cuectl.store import handler_files

    event = recorded["event"]
    if "data" in event or "dataref" not in event:
        return recorded
    path = event.pop("dataref")
    try:
        digest = path.rpartition("/")[2].removesuffix(".json")
        event["data"] = handler_files.read(home, digest)
    except (OSError, ValueError) as error:
        message = f"the payload of event '{event['id']}' is no longer kept"
        raise NotFound(message, hint=f"it was in '{path}'") from error
    return recorded
