"""`cuectl templates render`: what a prompt becomes for an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]


def run(call: Call) -> int | None:
    """Answer each line of the standard input."""
    from cuectl.cli.json_lines import answer_lines
    from cuectl.model.zones import offset_reader

    now, zone = call.runtime.now(), call.runtime.zone
    offset = offset_reader(zone)(now // 60_000)
    return answer_lines(lambda line: _answer(line, now, offset))


def _answer(line: Record, now: int, offset_minutes: int) -> Record:
    from cuectl.cli.json_lines import member
    from cuectl.model.errors import UsageError
    from cuectl.model.event_templates import Occasion, render, unknown_variables
    from cuectl.model.standard_variables import Place

    template = member(line, "template", str)
    event, payload = member(line, "event", dict, {}), member(line, "payload", dict, {})
    agent = member(line, "agent", dict, {})
    for unknown in unknown_variables(template):
        hint = f"did you mean '{unknown.nearest}'?" if unknown.nearest else None
        raise UsageError(f"'{{{{{unknown.name}}}}}' is not a variable", hint=hint)
    place = Place(
        agent=member(agent, "name", str, ""),
        agent_id=member(agent, "id", str, ""),
        driver=member(agent, "driver", str, ""),
        directory=member(agent, "dir", str, ""),
        now=now,
        offset_minutes=offset_minutes,
    )
    occasion = Occasion(
        event=event.get("type"),
        at=_instant(event.get("timestamp"), now),
        subscription=member(event, "subscription", str, ""),
        run_id=member(event, "run_id", str, ""),
        payload=payload,
        place=place,
    )
    return {"text": render(template, occasion)}


def _instant(text: object, now: int) -> int:
    from cuectl.model.errors import UsageError
    from cuectl.model.instants import from_text

    if text is None:
        return now
    try:
        return from_text(str(text))
    except (ValueError, IndexError):
        raise UsageError(f"'{text}' is not an instant such as 2026-11-23T09:00:00Z") from None


command = Command(
    name="templates render",
    summary="Try prompts on events: JSON lines in, JSON lines out",
    description="""
        Reads lines such as {"template": "Test {{CUE_FILE_PATH}}", "event": {"type":
        "file.changed", "timestamp": "2026-11-23T09:00:00Z", "subscription": "lint", "run_id":
        "r1"}, "payload": {"path": "/src/a.ts"}, "agent": {"name": "linter", "dir": "/src"}}
        from the standard input and answers each with a line {"text": ...}. A line that can't
        be read, or names a variable that there is not, is answered {"error": ...}, and the
        stream goes on.
    """,
    exits=((3, "a line could not be answered"),),
    see_also=("cuectl-templates(7)", "cuectl-filters-test(1)"),
    run=run,
)
