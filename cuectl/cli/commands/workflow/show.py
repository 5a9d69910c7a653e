"""`cuectl workflow show`: one workflow, or one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command
from cuectl.cli.workflow_options import CONFIG, MODULE

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str, module: tuple[str, ...], config: str | None) -> int | None:
    """Print what a workflow takes, or where a run stands."""
    from cuectl.model.workflow_run import RUN_PREFIX

    if name.startswith(RUN_PREFIX):
        _show_run(call, name)
        return None
    from cuectl.cli.workflow_help import help_of, record_of
    from cuectl.cli.workflow_options import load

    workflow = load(call, module, config).workflow(name)
    call.out.record(record_of(workflow), help_of(workflow).splitlines())
    return None


def _show_run(call: Call, text: str) -> None:
    import json

    from cuectl.engine.workflows.runs import find_run, public
    from cuectl.store.reading import open_reader

    run = find_run(open_reader(call.runtime.existing_store), text)
    record = public(call.runtime.home, run)
    lines = []
    for key, value in record.items():
        if value not in (None, [], {}, False):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{key + ':':<14} {shown}")
    call.out.record(record, lines)


command = Command(
    name="workflow show",
    summary="Show one workflow, or one run",
    description="""
        Of a workflow: how it is called, its docstring, its arguments with their types, where it
        is defined. Of a run: its state, arguments, result or error, and what it waits for.
    """,
    arguments=(Argument(name="NAME", help="Name of a workflow, or id of a run"),),
    options=(MODULE, CONFIG),
    see_also=("cuectl-workflow-list(1)", "cuectl-workflow-runs(1)"),
    run=run,
)
