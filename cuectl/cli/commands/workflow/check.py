"""`cuectl workflow check`: load the modules and say what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.workflow_options import CONFIG, MODULE

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, module: tuple[str, ...], config: str | None, traceback: bool) -> int | None:
    """Print each file with what it registers, or what is wrong with it."""
    from cuectl.cli.tables import Column
    from cuectl.engine.workflows.catalogue import catalogue
    from cuectl.model.errors import ExitStatus

    found = catalogue(call.runtime, module, config)
    names: dict[str, list[str]] = {}
    for each in found.loaded.workflows.values():
        names.setdefault(each.path, []).append(each.name)
    wrong = {one.path: one for one in found.broken}
    files = [*dict.fromkeys([*found.loaded.files, *names, *wrong])]
    records = [
        {
            "path": path,
            "ok": path not in wrong,
            "workflows": names.get(path, []),
            "problem": wrong[path].message if path in wrong else None,
            "traceback": wrong[path].detail or None if path in wrong else None,
        }
        for path in files
    ]
    columns = (
        Column(key="path", title="FILE"),
        Column(key="ok", show=lambda r: "ok" if r["ok"] else "BROKEN"),
        Column(key="workflows", show=lambda r: r["problem"] or ", ".join(r["workflows"])),
    )
    empty = "no modules; name them under 'workflows' in ~/.cue/cue.yaml, or by --module"
    call.out.records(records, columns, empty=empty)
    if traceback and call.out.for_people:
        for broken in found.broken:
            call.out.line("")
            call.out.document(f"{broken.detail or broken.message}\n")
    return ExitStatus.INVALID if wrong else None


command = Command(
    name="workflow check",
    summary="Check the modules with workflows",
    description="""
        Loads every module and says what it registers, or why it can't be loaded: an error in
        it, a name that two places register, a procedure that is not async def or does not
        begin with the parameter engine.
    """,
    options=(
        MODULE,
        CONFIG,
        Option(name="--traceback", help="Print the whole traceback of what is broken"),
    ),
    exits=((7, "a module is broken"),),
    see_also=("cuectl-workflow-list(1)",),
    run=run,
)
