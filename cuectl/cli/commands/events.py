"""Events, and the subscriptions that they start."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from cuectl.cli.commands.input import PAYLOAD_FILE, SUBSCRIPTION, read_payload, read_text
from cuectl.cli.commands.reading import changed_cues, time_column, verdict_style, work_words
from cuectl.cli.frame.declare import Argument, Option, command, not_empty, whole_number
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import ExitStatus, UsageError
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call
    from cuectl.cues.change import Resumed
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.events.lines import Recorded
    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_EVENT_ID = Argument("ID", "Id of the event, or the start of one")
_NONE = {5: "no subscription has that name"}
_MOST_REFUSED = 5
_NOTHING: Record = {"matched": [], "rejected": {}, "executions": []}


@command(
    "emit",
    Argument("TYPE", "Type of the event, such as deploy.done"),
    Option("--payload JSON", "Its payload: JSON, @FILE or -"),
    PAYLOAD_FILE,
    Option("--source URI", "The source of the event; /cuectl/emit by default", not_empty),
    Option("--subject TEXT", "The subject of the event", not_empty),
    Option("--key KEY", "Record it only once in 30 days for the same source and key", not_empty),
    see="trigger, events list, cuectl-templates(7)",
)
def emit_event(
    call: Call, *, type: str, payload: str | None, payload_file: str | None, **about: str | None
) -> None:
    """Record an event and start what listens to it.

    Records an event of any type, as a CloudEvent, together with the executions that it starts; the
    next pass runs them. You can also emit the built-in types, to try a pipeline without its
    sources.
    """
    from cuectl.events.emit import emit

    data = read_payload(payload, payload_file) or {}
    _show_recorded(call, emit(call.runtime, type, data, **about))


@command(
    "trigger",
    SUBSCRIPTION,
    Option("--prompt TEXT", "The prompt for the agents: text, or @FILE"),
    Option("--source-agent-id ID", "The value of {{CUE_FROM_AGENT}}"),
    exits=_NONE,
    see="emit, fire, subscriptions list",
)
def trigger_by_hand(
    call: Call, *, name: str, prompt: str | None, source_agent_id: str | None
) -> None:
    """Start a subscription by hand.

    Starts a subscription, even if it is paused, ignoring its filter, with an event of its type
    whose payload says `manual: true`. The next pass runs it. Any other cue is fired.

    A subscription with a 'pipeline_name' starts together with those of its pipeline that have the
    same trigger, as an event would start them; a name that no cue has may be that of a pipeline.

    With --prompt, agents get that instead of the subscription's own prompt; if that has
    {{CUE_CLI_PROMPT}}, it is filled in there instead.
    """
    from cuectl.cli.commands.cues.options import prompt_of
    from cuectl.events.emit import trigger

    executions = trigger(call.runtime, name, prompt=prompt_of(prompt), agent=source_agent_id)
    record = {"executions": [_started(one) for one in executions]}
    call.out.record(record, map(_started_line, executions))


@command(
    "events list",
    Option("-n, --limit N", "How many", whole_number(1, 100_000), default=20),
    Option("--type TYPE", "Only those of a type", not_empty),
    see="events get, events replay, emit",
    table=True,
)
def list_events(call: Call, *, limit: int, type: str | None) -> None:
    """List the events that were recorded.

    Prints the newest events and the subscriptions that took each. With --json, each is a CloudEvent
    with 'matched' and 'rejected' beside its members.
    """
    from cuectl.events.emit import events_newest_first

    reader = call.reader()
    found = [call.shown(_row(one)) for one in islice(events_newest_first(reader, type), limit)]
    columns = (
        Column("id", "EVENT"),
        time_column(call, "time", "TIME", priority=2),
        Column("type", priority=1),
        Column("matched", "TAKEN BY", show=lambda r: ", ".join(r["matched"]), priority=3),
    )
    call.out.records(found, columns, empty="no events yet")


def _row(recorded: Record) -> Record:
    more = {name: recorded[name] for name in ("matched", "rejected", "refused")}
    return {**recorded["event"], **more}


@command(
    "events get", _EVENT_ID, exits={5: "there is no such event"}, see="events list, events replay"
)
def get_event(call: Call, *, id: str) -> None:
    """Show one event and what became of it.

    Prints a recorded event: its payload, the subscriptions that took it, and those that listen to
    its type and did not, with the conditions that did not hold.
    """
    from cuectl.events.emit import find_recorded

    recorded = find_recorded(call.reader(), id)
    row = call.shown(_row(recorded))
    event = recorded["event"] | {"data": row["data"]}
    lines = [f"{event['id']}  {event['type']}  {event['time']}", f"source     {event['source']}"]
    lines += [f"taken by   {name}" for name in recorded["matched"]]
    for name, why in recorded["rejected"].items():
        lines.append(f"refused by {name} {_why(why)}")
    lines += json.dumps(event["data"], ensure_ascii=False, indent=2).split("\n")
    call.out.record(row, lines)


@command(
    "events replay",
    _EVENT_ID,
    Option("--subscription NAME", "Only for this subscription", complete="cue"),
    exits={5: "there is no such event or subscription"},
    see="events list, trigger",
)
def replay_event(call: Call, *, id: str, subscription: str | None) -> None:
    """Record an old event anew, and start what listens to it now.

    Makes a new event with the type and the payload of an old one. With --subscription it is for
    that one alone, which takes it paused or not and whatever its filter says.
    """
    from cuectl.events.emit import replay

    _show_recorded(call, replay(call.runtime, id, subscription))


def _show_recorded(call: Call, recorded: Recorded) -> None:
    event = recorded.event
    if recorded.duplicate_of is not None:
        known = recorded.duplicate_of
        line = f"{known}  {event.type}  was recorded before under the key '{event.key}'"
        call.out.record({"event": None, "duplicate_of": known, **_NOTHING}, [line])
        return
    record: Record = {
        "event": event.to_record(),
        "duplicate_of": None,
        "matched": recorded.matched,
        "rejected": recorded.rejected,
        "executions": [_started(one) for one in recorded.executions],
    }
    takers = ", ".join(recorded.matched)
    taken = f"taken by {takers}" if takers else "no subscription takes it"
    text = [f"{event.id}  {event.type}  {taken}"]
    text += [_started_line(one) for one in recorded.executions]
    named = list(recorded.rejected.items())[:_MOST_REFUSED]
    text += [f"  not for {name} {_why(why)}" for name, why in named]
    if recorded.refused > len(named):
        more = recorded.refused - len(named)
        text.append(f"  not for {more} more; see: cuectl events get {event.id}")
    call.out.record(call.shown(record), text)


def _started(execution: Execution) -> Record:
    return {
        "id": execution.id,
        "cue_id": execution.cue_id,
        "cue_name": execution.cue_name,
        "status": execution.status.value,
        "reason": execution.reason,
        "agent": execution.target.get("agent"),
    }


def _why(refused: Record) -> str:
    failed = f": {', '.join(refused['failed'])}" if "failed" in refused else ""
    return f"({refused['reason']}{failed})"


def _started_line(execution: Execution) -> str:
    agent, reason = execution.target.get("agent"), execution.reason
    words = (execution.id, execution.cue_name, execution.status.value)
    more = (f"({reason})" if reason else "", f"agent {agent}" if agent else "")
    return "".join(f"  {word}" for word in (*words, *more) if word)


_SUBSCRIPTIONS = Argument("NAME...", "Names or ids of subscriptions", complete="cue")
_REASONS = {
    "type": "it listens to another type",
    "source": "the event comes from none of its sources",
    "source_sub": "the run was started by another subscription",
    "itself": "it would react to its own run",
    "depth": "the chain is too deep",
    "other": "the event is for another subscription",
}


@command("subscriptions list", see="subscriptions get, subscriptions test, cue.yaml(5)", table=True)
def list_subscriptions(call: Call) -> None:
    """List the subscriptions: events and what they start.

    Prints all cues that are started by events, with their last result.
    """
    from cuectl.cues.schedule import with_fires
    from cuectl.events.subscriptions import subscription_view, subscriptions_in

    reader = call.reader()
    rows = [
        call.shown(subscription_view(cue, with_fires(reader, call.runtime, cue, state, 1)))
        for cue, state in subscriptions_in(reader)
    ]
    columns = (
        Column("name", "SUBSCRIPTION"),
        Column("event", priority=2),
        Column("status", show=lambda r: r["status"] if r["enabled"] else "disabled", priority=5),
        Column(
            "agents",
            "STARTS",
            lambda r: ", ".join(r["agents"]) or work_words(r["target"]),
            flexible=True,
        ),
        time_column(call, "next_run", "NEXT", priority=3),
        time_column(call, "last_run", "LAST", priority=4),
        Column(
            "last_status",
            "RESULT",
            show=lambda r: (r["verdict"] or "").replace("-", " "),
            style=verdict_style,
            priority=1,
        ),
    )
    empty = "no subscriptions yet; write one under 'subscriptions' in a cue.yaml and apply it"
    call.out.records(rows, columns, empty=empty)


@command(
    "subscriptions get", SUBSCRIPTION, exits=_NONE, see="subscriptions list, subscriptions test"
)
def get_subscription(call: Call, *, name: str) -> None:
    """Show one subscription.

    Prints what a subscription listens to, its filter, and what it starts.
    """
    from cuectl.cues.lookup import find_cue
    from cuectl.cues.schedule import with_fires
    from cuectl.events.subscriptions import check_subscription, subscription_view
    from cuectl.store import paths

    reader = call.reader()
    cue, state = find_cue(reader, name)
    check_subscription(cue)
    source = reader.read(paths.source(cue.id)) or {}
    state = with_fires(reader, call.runtime, cue, state)
    view = call.shown(subscription_view(cue, state))
    lines = [f"{cue.name}  {cue.id}  {state.status.value if view['enabled'] else 'disabled'}"]
    lines.append(f"event     {view['event']}")
    lines += [
        f"{key:<9} {json.dumps(value, ensure_ascii=False)}"
        for key, value in cue.trigger.items()
        if key not in ("type", "event", "enabled")
    ]
    lines.append(f"starts    {json.dumps(view['target'], ensure_ascii=False)}")
    lines.append(f"runs      {state.run_count}, last {state.last_status or 'never'}")
    if view["next_run"] is not None:
        lines.append(f"next      {call.out.when(from_text(view['next_run']), call.runtime.now())}")
    if failed := source.get("failed"):
        lines.append(f"failing   since {failed['since']}: {failed['message']}")
    call.out.record(view, lines)


@command(
    "subscriptions test",
    SUBSCRIPTION,
    Option("--event FILE", "The event; - for stdin", complete="file"),
    exits={4: "the event does not start it", **_NONE},
    see="filters test, emit, cuectl-filters(7)",
)
def test_event(call: Call, *, name: str, event: str | None) -> int | None:
    """See whether an event would start a subscription, and why not.

    Asks a subscription whether it takes an event, and shows each condition of its filter with the
    value that it found, and the prompt that agents would be given. Nothing is recorded. The file
    holds a CloudEvent, an object with 'type' and 'payload', or a bare payload for an event of the
    subscription's type.
    """
    from cuectl.cues.lookup import find_cue
    from cuectl.definitions.in_force import definitions_now
    from cuectl.events.subscriptions import check_subscription, event_of_text, try_event
    from cuectl.schedule.zones import offset_reader

    if event is None:
        raise UsageError("expected an event", hint="give a file: --event FILE")
    runtime = call.runtime
    reader, now = call.reader(), runtime.now()
    cue, _ = find_cue(reader, name)
    check_subscription(cue)
    in_force = definitions_now(reader, runtime.home)
    offset = offset_reader(in_force.settings.timezone or runtime.zone)(now // 60_000)
    said = event_of_text(read_text(event), cue, now)
    found = try_event(cue, said, in_force, now=now, offset_minutes=offset)
    call.out.record(found, _lines(cue.name, found))
    return None if found["match"] else ExitStatus.NO


def _lines(name: str, found: Record) -> list[str]:
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


@command("subscriptions pause", _SUBSCRIPTIONS, exits=_NONE, see="subscriptions resume, pause")
def pause(call: Call, *, name: tuple[str, ...]) -> None:
    """Pause a subscription.

    A paused subscription takes no events; they are recorded, and not made up for. What runs
    continues, and it can be started by hand (cuectl trigger).
    """
    from cuectl.cues.change import stage_pause
    from cuectl.events.subscriptions import check_subscription

    def change(tx: Transaction, cue: Cue, state: CueState) -> bool:
        check_subscription(cue)
        return stage_pause(tx, cue, state)

    for cue, done in changed_cues(call, name, change):
        call.out.say(f"paused '{cue.name}'" if done else f"'{cue.name}' was paused already")


@command("subscriptions resume", _SUBSCRIPTIONS, exits=_NONE, see="subscriptions pause, resume")
def resume(call: Call, *, name: tuple[str, ...]) -> None:
    """Resume a subscription.

    It takes events from now on.
    """
    from cuectl.cues.change import stage_resume
    from cuectl.events.subscriptions import check_subscription

    def change(tx: Transaction, cue: Cue, state: CueState) -> Resumed:
        check_subscription(cue)
        return stage_resume(tx, cue, state)

    for cue, done in changed_cues(call, name, change):
        call.out.say(f"resumed '{cue.name}'" if done.changed else f"'{cue.name}' was not paused")
