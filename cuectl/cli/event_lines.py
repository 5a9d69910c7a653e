"""How commands show events, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.events import Recorded
    from cuectl.model.execution import Execution

Record = dict[str, Any]

_MOST_REFUSED = 5
_NOTHING: Record = {"matched": [], "rejected": {}, "executions": []}


def show_recorded(call: Call, recorded: Recorded, lines: list[str]) -> None:
    """Print an event that was recorded, and what it has started."""
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
        "executions": [started(one) for one in recorded.executions],
    }
    text = [f"{event.id}  {event.type}  {_count(recorded)}"]
    text += [_started_line(one) for one in recorded.executions]
    named = list(recorded.rejected.items())[:_MOST_REFUSED]
    text += [_refused_line(*each) for each in named]
    if recorded.refused > len(named):
        more = recorded.refused - len(named)
        text.append(f"  not for {more} more; see: cuectl events get {event.id}")
    call.out.record(record, text)
    for line in lines:
        call.out.tell(line)


def show_started(call: Call, executions: list[Execution], lines: list[str]) -> None:
    """Print the executions that a start by hand has made."""
    records = [started(one) for one in executions]
    call.out.record({"executions": records}, [_started_line(one) for one in executions])
    for line in lines:
        call.out.tell(line)


def started(execution: Execution) -> Record:
    """Return what is said of an execution that an event has started."""
    return {
        "id": execution.id,
        "cue_id": execution.cue_id,
        "cue_name": execution.cue_name,
        "status": execution.status.value,
        "reason": execution.reason,
        "agent": execution.target.get("agent"),
    }


def _count(recorded: Recorded) -> str:
    if not recorded.matched:
        return "no subscription takes it"
    return f"taken by {', '.join(recorded.matched)}"


def _refused_line(name: str, why: Record) -> str:
    failed = f": {', '.join(why['failed'])}" if "failed" in why else ""
    return f"  not for {name} ({why['reason']}{failed})"


def _started_line(execution: Execution) -> str:
    agent = execution.target.get("agent")
    words = [execution.id, execution.cue_name, execution.status.value]
    if execution.reason:
        words.append(f"({execution.reason})")
    if agent:
        words.append(f"agent {agent}")
    return "  " + "  ".join(words)
