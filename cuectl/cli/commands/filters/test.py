"""`cuectl filters test`: whether payloads meet filters, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]


def run(call: Call) -> int | None:
    """Answer each line of the standard input."""
    from cuectl.cli.json_lines import answer_lines

    return answer_lines(_answer)


def _answer(line: Record) -> Record:
    from cuectl.cli.json_lines import member
    from cuectl.model.errors import UsageError
    from cuectl.model.filters import compile_filter

    conditions, payload = member(line, "filter", dict), member(line, "payload", dict)
    for key, expression in conditions.items():
        if not isinstance(expression, str | int | float):
            raise UsageError(f"'{key}' in 'filter' must be a text, a number, true or false")
    chosen = compile_filter(conditions)
    return {"match": chosen.matches(payload), "why": chosen.why(payload)}


command = Command(
    name="filters test",
    summary="Try filters on payloads: JSON lines in, JSON lines out",
    description="""
        Reads lines such as {"filter": {"extension": ".ts"}, "payload": {"extension": ".ts"}}
        from the standard input and answers each with a line {"match": true, "why": [...]}:
        for every condition its key, its expression, the value that was found and whether it
        holds. A line that can't be read is answered {"error": ...}, and the stream goes on.
    """,
    exits=((3, "a line could not be answered"),),
    see_also=("cuectl-filters(7)", "cuectl-templates-render(1)"),
    run=run,
)
