"""`cuectl gc`: pack the journal, drop what is older than it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.store.retention import Collected, Keep

Record = dict[str, Any]


def run(call: Call, *, dry_run: bool, output: float | None, journal: float | None) -> int | None:
    """Collect what is not kept any longer, and say what that was."""
    store = call.runtime.existing_store
    if store is None:
        from cuectl.store.retention import Collected

        call.out.record(_record(Collected(), dry_run=dry_run), ["nothing to collect"])
        return None
    from cuectl.store.retention import collect

    keep = _keep(call, output, journal)
    from cuectl.cli.live_lines import while_working

    with while_working(call) as progress:
        done = collect(store, keep, call.runtime.now(), dry_run=dry_run, progress=progress)
    call.out.record(_record(done, dry_run=dry_run), _lines(call, done, dry_run=dry_run))
    return None


def _keep(call: Call, output: float | None, journal: float | None) -> Keep:
    from cuectl.cli.cue_reading import reader_of
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.store.retention import Keep

    settings = definitions_now(reader_of(call), call.runtime.home).settings
    return Keep(
        output_s=settings.keep_output_s if output is None else output,
        journal_s=settings.keep_journal_s if journal is None else journal,
    )


def _record(done: Collected, *, dry_run: bool) -> Record:
    return {
        "dry_run": dry_run,
        "packed": done.packed,
        "dropped": done.dropped,
        "base": done.base,
        "removed": done.removed,
        "forgotten": done.forgotten,
        "freed_bytes": done.freed_bytes,
    }


def _lines(call: Call, done: Collected, *, dry_run: bool) -> Iterator[Line]:
    would = "would have " if dry_run else ""
    if call.out.verbose:
        for word, names in (
            ("packed", done.packed),
            ("dropped", done.dropped),
            ("removed", done.removed),
        ):
            yield from (f"{would}{word}  {name}" for name in names)
    if not call.out.quiet:
        yield (
            f"{would}packed {len(done.packed)} and dropped {len(done.dropped)} segments of the "
            f"journal, removed {len(done.removed)} files, let go of {done.forgotten} records; "
            f"{_size(done.freed_bytes)} freed"
        )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


command = Command(
    name="gc",
    summary="Remove old executions, outputs and journal entries",
    description="""
        Packs the closed parts of the journal, drops those that are older than the journal is
        kept, and removes outputs that are older than outputs are kept, but for those of
        executions which are still undecided. How long that is stands in cue.yaml, under
        settings, retention: 30 days for outputs and 400 days for the journal otherwise. Cues
        that came to rest, alerts that were acknowledged and the like go with the journal.
    """,
    options=(
        Option(name="--dry-run", help="Only say what would be done"),
        Option(
            name="--output",
            metavar="DUR",
            convert=duration,
            shown_default="settings, else 30d",
            help="How long outputs are kept",
        ),
        Option(
            name="--journal",
            metavar="DUR",
            convert=duration,
            shown_default="settings, else 400d",
            help="How long the journal is kept, and with it the records",
        ),
    ),
    see_also=("cuectl-fsck(1)",),
    run=run,
)
