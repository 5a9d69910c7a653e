"""`cuectl export`: write the state directory into one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, file: str) -> int | None:
    """Write the file."""
    from cuectl.engine.home_archive import export_home

    done = export_home(call.runtime, file)
    record = {
        "home": call.runtime.home,
        "file": done.path,
        "files": done.files,
        "bytes": done.size,
    }
    line = f"wrote {done.path}: {done.files} files in {done.size} bytes"
    call.out.record(record, [] if call.out.quiet else [line])
    return None


command = Command(
    name="export",
    summary="Write the state directory into one file",
    description="""
        Writes a gzipped tar file with everything that the state directory holds: cues, records,
        the journal, definitions, outputs, and the file 'env' with its secrets, so the file is
        private to its user. What the records say is of one instant, also while passes are made;
        outputs are as long as they were when they were read.

        The file appears under its name when it is whole. 'cuectl import' reads it.
    """,
    arguments=(Argument(name="FILE", help="The file to write; must not exist", complete="file"),),
    exits=((5, "there is no state directory"), (6, "the file exists")),
    see_also=("cuectl-import(1)", "cuectl-state(7)"),
    run=run,
)
