"""`cuectl subscriptions test`: whether an event would start a subscription, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option
from cuectl.model.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]


def run(call: Call, *, name: str, event: str | None) -> int | None:
    """Try the event; nothing is recorded."""
    from cuectl.cli.payload_option import read_text
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.engine.subscriptions import check_subscription, event_of_text, try_event
    from cuectl.model.zones import offset_reader
    from cuectl.store.reading import open_reader

    if event is None:
        raise UsageError("expected an event", hint="give a file: --event FILE")
    runtime = call.runtime
    reader, now = open_reader(runtime.existing_store), runtime.now()
    cue, _ = find_cue(reader, name)
    check_subscription(cue)
    in_force = definitions_now(reader, runtime.home)
    offset = offset_reader(in_force.settings.timezone or runtime.zone)(now // 60_000)
    said = event_of_text(read_text(event), cue, now)
    found = try_event(cue, said, in_force, now=now, offset_minutes=offset)
    call.out.record(found, _lines(cue.name, found))
    return None if found["match"] else ExitStatus.NO


def _lines(name: str, found: Record) -> list[str]:
    import json

    lines = [f"'{name}' takes it" if found["match"] else f"'{name}' does not take it"]
    if found["reason"] not in (None, "filter"):
        lines[0] += f": {_REASONS.get(found['reason'], found['reason'])}"
    for one in found["why"]:
        mark = "yes" if one["ok"] else "no "
        value = "is absent" if one.get("absent") else json.dumps(one["value"], ensure_ascii=False)
        wanted = json.dumps(one["expression"], ensure_ascii=False)
        lines.append(f"  {mark} {one['key']}: {wanted}  ({value})")
    if found.get("waits_for"):
        lines.append(f"  waits for {', '.join(found['waits_for'])}")
    for one in found["prompts"] if found["match"] else ():
        lines.append(f"agent {one['agent']}{'' if one['known'] else ' (not defined)'}:")
        lines += [f"  {line}" for line in one.get("text", one.get("error", "")).split("\n")]
    return lines


_REASONS = {
    "type": "it listens to another type",
    "source": "the event comes from none of its sources",
    "source_sub": "the run was started by another subscription",
    "itself": "it would answer to its own run",
    "depth": "the chain is too deep",
    "other": "the event is for another subscription",
}


command = Command(
    name="subscriptions test",
    summary="See whether an event would start a subscription, and why not",
    description="""
        Asks a subscription whether it takes an event, and shows each condition of its filter
        with the value that it found, and the prompt that agents would be given. Nothing is
        recorded. The file holds a CloudEvent, an object with 'type' and 'payload', or a bare
        payload for an event of the subscription's type.
    """,
    arguments=(Argument(name="NAME", help="Name or id of the subscription", complete="cue"),),
    options=(
        Option(name="--event", metavar="FILE", complete="file", help="The event; - for stdin"),
    ),
    exits=((4, "the event does not start it"), (5, "there is none of that name")),
    see_also=("cuectl-filters-test(1)", "cuectl-emit(1)", "cuectl-filters(7)"),
    run=run,
)
