"""`cuectl fsck`: whether the views are what the journal implies; `--rebuild` makes them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line, Part
    from cuectl.store.fsck import Report
    from cuectl.store.rebuild import Rebuilt

Record = dict[str, Any]


def run(call: Call, *, rebuild: bool, accept_loss: bool) -> int | None:
    """Check the store, or write its views anew and check it then."""
    from cuectl.cli.live_lines import while_working
    from cuectl.model.errors import ExitStatus, UsageError
    from cuectl.store.fsck import Report, check

    if accept_loss and not rebuild:
        raise UsageError("--accept-loss goes with --rebuild")
    store = call.runtime.existing_store
    if store is None:
        call.out.record(_record(Report(), None), [f"nothing to check: no '{call.runtime.home}'"])
        return None
    rebuilt = None
    if rebuild:
        from cuectl.store.rebuild import rebuild as write_anew

        rebuilt = write_anew(store, call.runtime.now(), accept_loss=accept_loss)
    with while_working(call) as progress:
        report = check(store, progress)
    call.out.record(_record(report, rebuilt), _lines(call, report, rebuilt))
    if report.damaged:
        call.out.tell("hint: go on with what is left: cuectl fsck --rebuild --accept-loss")
        return ExitStatus.STATE
    if not report.is_clean:
        call.out.tell("" if rebuild else "hint: write the views anew: cuectl fsck --rebuild")
        return ExitStatus.NO
    return None


def _record(report: Report, rebuilt: Rebuilt | None) -> Record:
    return {
        "ok": report.is_clean,
        "damaged": report.damaged,
        "seq": report.seq,
        "lines": report.lines,
        "views": report.views,
        "findings": [finding.to_record() for finding in report.findings],
        "rebuilt": None if rebuilt is None else _rebuilt_record(rebuilt),
    }


def _rebuilt_record(rebuilt: Rebuilt) -> Record:
    return {
        "views": rebuilt.views,
        "removed": list(rebuilt.removed),
        "failed": list(rebuilt.failed),
        "lost": [finding.to_record() for finding in rebuilt.damage],
        "put_aside": list(rebuilt.put_aside),
        "kept": list(rebuilt.kept),
        "mended": list(rebuilt.mended),
    }


def _lines(call: Call, report: Report, rebuilt: Rebuilt | None) -> Iterator[Line]:
    if rebuilt is not None:
        yield from _rebuilt_lines(rebuilt)
    for finding in report.findings:
        place = f"{finding.subject}:{finding.line}" if finding.line else finding.subject
        level: Part = (finding.level, "red" if finding.level == "error" else "dim")
        yield [level, f"  {finding.kind}  {place}  {finding.message}"]
    if not call.out.quiet:
        word = "damaged" if report.damaged else "ok" if report.is_clean else "not ok"
        yield f"{word}: {report.lines} lines, {report.views} views"


def _rebuilt_lines(rebuilt: Rebuilt) -> Iterator[Line]:
    yield f"rebuilt {rebuilt.views} views"
    for path in rebuilt.removed:
        yield f"removed  {path}"
    for path in rebuilt.failed:
        yield [("could not write", "red"), f"  {path}"]
    for finding in rebuilt.damage:
        place = f"{finding.subject}:{finding.line}" if finding.line else finding.subject
        yield [("lost", "red"), f"  {place}  {finding.message}"]
    for path in rebuilt.kept:
        yield f"kept  {path}"
    for path in rebuilt.mended:
        yield f"mended  {path}"
    for path in rebuilt.put_aside:
        yield f"put aside  {path}"


command = Command(
    name="fsck",
    summary="Check that all records are what the journal says",
    description="""
        Reads the whole journal, checks every line, and compares all records with what it
        implies. Records that are merely behind are brought up to date first, as any command
        does. A note names something that is left over and harms nobody; an error is something
        that is wrong.

        --rebuild writes all records anew from the journal. Where the journal itself is
        damaged it refuses; with --accept-loss it goes on with everything that is still known:
        what whole lines say, and records that are newer than what is left of the journal. What
        cannot stand alone goes or is mended: the state of a lost cue goes, a cue whose state is
        lost is paused. The damaged files are put aside.
    """,
    options=(
        Option(name="--rebuild", help="Write all records anew from the journal"),
        Option(name="--accept-loss", help="Go on over a damaged journal with what is known"),
    ),
    exits=((4, "something is wrong with the records"), (9, "the journal is damaged")),
    see_also=("cuectl-gc(1)", "cuectl-status(1)"),
    run=run,
)
