"""`cuectl import`: make the state directory of a file that `export` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, file: str) -> int | None:
    """Make the state directory."""
    from cuectl.engine.home_archive import import_home

    done = import_home(call.runtime, file)
    record = {
        "home": call.runtime.home,
        "file": done.path,
        "files": done.files,
        "bytes": done.size,
    }
    lines = [f"made {call.runtime.home} of {done.files} files", "next: cuectl doctor"]
    call.out.record(record, [] if call.out.quiet else lines)
    return None


command = Command(
    name="import",
    summary="Make the state directory of a file that export wrote",
    description="""
        Makes a state directory that is not there yet, in one step: it is unpacked and checked
        beside its place first. A file that is damaged, or holds anything but what 'cuectl
        export' writes, is refused, and nothing is left of it.

        Nothing runs by itself before a scheduler is installed. Work that was open when the file
        was written is found by the first pass, as after a crash.
    """,
    arguments=(Argument(name="FILE", help="A file that export wrote", complete="file"),),
    exits=(
        (5, "there is no such file"),
        (6, "there is a state directory already"),
        (7, "the file is damaged, or is no export"),
    ),
    see_also=("cuectl-export(1)", "cuectl-doctor(1)", "cuectl-scheduler-install(1)"),
    run=run,
)
