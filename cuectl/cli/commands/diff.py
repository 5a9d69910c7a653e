"""`cuectl diff`: what apply would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command
from cuectl.model.errors import ExitStatus

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, file: str | None) -> int | None:
    """Print the differences between a file and what was last taken over of it."""
    from cuectl.cli.definition_plan import plan_lines, plan_record
    from cuectl.engine.apply import preview

    found = preview(call.runtime, file or "cue.yaml")
    call.out.record(plan_record(found), plan_lines(found))
    return None if found.is_empty else ExitStatus.NO


command = Command(
    name="diff",
    summary="Show what apply would change",
    description="""
        Compares a definition file with what was last taken over of it, and its cues with what
        they are now. Nothing is changed.
    """,
    arguments=(
        Argument(
            name="FILE",
            help="Definition file; cue.yaml when it is left out",
            required=False,
            complete="file",
        ),
    ),
    exits=((4, "apply would change something"),),
    see_also=("cuectl-apply(1)", "cuectl-validate(1)"),
    run=run,
)
