"""`cuectl webhook-call`: call the webhook of a cue. A pass starts it, as it starts handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Make the call; what the receiver said is the output of the execution."""
    from cuectl.engine.webhook_call import call_for

    answer = call_for(call.runtime)
    call.out.line(answer.text)
    return None if answer.is_good else 1


command = Command(
    name="webhook-call",
    summary="Call the webhook of the execution in the environment",
    description=(
        "A pass starts this for a cue that was made with --url. It sends one signed request "
        "and succeeds when the answer is 2xx."
    ),
    see_also=("cuectl-create(1)",),
    run=run,
)
