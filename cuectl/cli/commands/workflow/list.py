"""`cuectl workflow list`: which workflows there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command
from cuectl.cli.workflow_options import CONFIG, MODULE

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, module: tuple[str, ...], config: str | None) -> int | None:
    """Print them by name."""
    from cuectl.cli.tables import Column
    from cuectl.cli.workflow_help import record_of
    from cuectl.cli.workflow_options import load

    known = load(call, module, config)
    columns = (
        Column(key="name", title="WORKFLOW"),
        Column(key="summary"),
        Column(key="path", title="FILE", show=lambda r: f"{r['path']}:{r['line']}"),
    )
    empty = "no workflows; name modules under 'workflows' in ~/.cue/cue.yaml, or by --module"
    records = [record_of(each) for each in known.loaded.workflows.values()]
    call.out.records(records, columns, empty=empty)
    return None


command = Command(
    name="workflow list",
    summary="List the workflows",
    description="""
        Loads the modules that the definitions in force name under workflows, and prints what
        they register. A module that can't be loaded is warned of and hides no other.
    """,
    options=(MODULE, CONFIG),
    see_also=("cuectl-workflow-run(1)", "cuectl-workflows(7)"),
    run=run,
)
