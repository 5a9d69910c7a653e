"""Keep a state directory in order: `gc`, `fsck`, `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.commands.reading import reader_of
from cuectl.cli.frame.declare import Option, command, duration
from cuectl.values.errors import ExitStatus, Level, UsageError, worst
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.output import Line, Part
    from cuectl.cli.frame.run import Call
    from cuectl.store.journal.check import StoreFinding
    from cuectl.store.repair.fsck import FsckReport
    from cuectl.store.repair.gc import Collected
    from cuectl.store.repair.rebuild import Rebuilt
    from cuectl.values.errors import Finding
    from cuectl.values.records import Record

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@command(
    "gc",
    Option("--dry-run", "Show what would be done, without doing it"),
    Option(
        "--output DUR", "Keep outputs for this long", duration, shown_default="settings, else 30d"
    ),
    Option(
        "--journal DUR",
        "Keep the journal and the records for this long",
        duration,
        shown_default="settings, else 400d",
    ),
    see="fsck",
)
def gc(call: Call, *, dry_run: bool, output: float | None, journal: float | None) -> None:
    """Remove old executions, outputs and journal entries.

    Packs the closed parts of the journal, drops those that are older than the journal is kept, and
    removes outputs that are older than outputs are kept, but for those of executions which are
    still undecided. How long that is stands in cue.yaml, under settings, retention: 30 days for
    outputs and 400 days for the journal otherwise. Cues that came to rest, alerts that were
    acknowledged and the like go with the journal.
    """
    from cuectl.cli.commands.passes import while_working
    from cuectl.definitions.in_force import definitions_now
    from cuectl.store.repair.gc import Collected, Keep, collect

    store = call.runtime.existing_store
    if store is None:
        call.out.record(_collected_record(Collected(), dry_run=dry_run), ["nothing to collect"])
        return
    settings = definitions_now(reader_of(call), call.runtime.home).settings
    keep = Keep(
        output_s=settings.keep_output_s if output is None else output,
        journal_s=settings.keep_journal_s if journal is None else journal,
    )
    with while_working(call) as progress:
        done = collect(store, keep, call.runtime.now(), dry_run=dry_run, progress=progress)
    lines = _collected_lines(call, done, dry_run=dry_run)
    call.out.record(_collected_record(done, dry_run=dry_run), lines)


def _collected_record(done: Collected, *, dry_run: bool) -> Record:
    names = ("packed", "dropped", "base", "removed", "forgotten", "freed_bytes")
    return {"dry_run": dry_run, **{name: getattr(done, name) for name in names}}


def _collected_lines(call: Call, done: Collected, *, dry_run: bool) -> Iterator[Line]:
    would = "would have " if dry_run else ""
    if call.out.verbose:
        for word in ("packed", "dropped", "removed"):
            yield from (f"{would}{word}  {name}" for name in getattr(done, word))
    if not call.out.quiet:
        yield (
            f"{would}packed {len(done.packed)} and dropped {len(done.dropped)} segments, "
            f"removed {len(done.removed)} files and {done.forgotten} records; "
            f"{_size(done.freed_bytes)} freed"
        )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


@command(
    "fsck",
    Option("--rebuild", "Rewrite all records from the journal"),
    Option("--accept-loss", "Continue with what is known of a damaged journal"),
    exits={4: "something is wrong with the records", 9: "the journal is damaged"},
    see="gc, status",
)
def fsck(call: Call, *, rebuild: bool, accept_loss: bool) -> int | None:
    """Check that all records are what the journal says.

    Reads the whole journal, checks every line, and compares all records with what it implies.
    Records that are merely behind are brought up to date first, as any command does. A note names
    something that is left over and harmless; an error is something that is wrong.

    --rebuild writes all records anew from the journal. Where the journal itself is damaged it
    refuses; with --accept-loss it continues with everything that is still known: what whole lines
    say, and records that are newer than what is left of the journal. What cannot stand alone goes
    or is fixed: the state of a lost cue goes, a cue whose state is lost is paused. The damaged
    files go into quarantine.
    """
    from cuectl.cli.commands.passes import while_working
    from cuectl.store.repair.fsck import FsckReport, check
    from cuectl.store.repair.rebuild import rebuild as write_anew

    if accept_loss and not rebuild:
        raise UsageError("--accept-loss goes with --rebuild")
    store = call.runtime.existing_store
    if store is None:
        nothing = f"nothing to check: no '{call.runtime.home}'"
        call.out.record(_record(FsckReport(), None), [nothing])
        return None
    rebuilt = write_anew(store, call.runtime.now(), accept_loss=accept_loss) if rebuild else None
    with while_working(call) as progress:
        report = check(store, progress)
    call.out.record(_record(report, rebuilt), _lines(call, report, rebuilt))
    if report.damaged:
        call.out.tell("hint: continue with the rest: cuectl fsck --rebuild --accept-loss")
        return ExitStatus.STATE
    if not report.is_clean:
        call.out.tell("" if rebuild else "hint: rewrite the views: cuectl fsck --rebuild")
        return ExitStatus.NO
    return None


def _record(report: FsckReport, rebuilt: Rebuilt | None) -> Record:
    return {
        "ok": report.is_clean,
        **{name: getattr(report, name) for name in ("damaged", "seq", "lines", "views")},
        "findings": [finding.to_record() for finding in report.findings],
        "rebuilt": None if rebuilt is None else _rebuilt_record(rebuilt),
    }


def _rebuilt_record(rebuilt: Rebuilt) -> Record:
    return {
        "views": rebuilt.views,
        **{name: list(getattr(rebuilt, name)) for name in ("removed", "failed")},
        "lost": [finding.to_record() for finding in rebuilt.damage],
        **{name: list(getattr(rebuilt, name)) for name in ("put_aside", "kept", "mended")},
    }


def _lines(call: Call, report: FsckReport, rebuilt: Rebuilt | None) -> Iterator[Line]:
    if rebuilt is not None:
        yield from _rebuilt_lines(rebuilt)
    for finding in report.findings:
        level: Part = (finding.level, "red" if finding.level == "error" else "dim")
        yield [level, f"  {finding.kind}  {_place(finding)}  {finding.message}"]
    if not call.out.quiet:
        word = "damaged" if report.damaged else "ok" if report.is_clean else "not ok"
        yield f"{word}: {report.lines} lines, {report.views} views"


def _rebuilt_lines(rebuilt: Rebuilt) -> Iterator[Line]:
    yield f"rebuilt {rebuilt.views} views"
    yield from (f"removed  {path}" for path in rebuilt.removed)
    for path in rebuilt.failed:
        yield [("could not write", "red"), f"  {path}"]
    for finding in rebuilt.damage:
        yield [("lost", "red"), f"  {_place(finding)}  {finding.message}"]
    yield from (f"kept  {path}" for path in rebuilt.kept)
    yield from (f"fixed  {path}" for path in rebuilt.mended)
    yield from (f"set aside  {path}" for path in rebuilt.put_aside)


def _place(finding: StoreFinding) -> str:
    return f"{finding.subject}:{finding.line}" if finding.line else finding.subject


@command(
    "doctor",
    Option("--fix", "Make safe repairs, then check again"),
    exits={4: "there is a warning or a problem"},
    see="status, scheduler install, cuectl-state(7)",
)
def doctor(call: Call, *, fix: bool) -> int | None:
    """Find problems with your setup and how to fix them.

    Checks everything that your work depends on: the state directory (owner, modes, file system,
    locks, space), the scheduler and its last call, clock and time zones, whether the scheduler's
    PATH has every handler, agent and command, the file 'env' and the names that handlers need from
    it, changed definition files, executions that lost their pass or run too long, and the journal.
    Each finding is ok, a warning or a problem, with the way to fix it.

    --fix makes safe repairs: it closes directories and the file 'env' to other users. For the
    results of your work see 'cuectl status'.
    """
    from cuectl.installation.checks import examine, mend

    findings = examine(call.runtime)
    fixed: list[str] = []
    if fix:
        fixed = mend(call.runtime, findings)
        findings = examine(call.runtime) if fixed else findings
    level = worst(findings)
    record = {
        "level": level.value,
        "home": call.runtime.home,
        "time": to_text(call.runtime.now()),
        "fixed": fixed,
        "findings": [one.to_record() for one in findings],
    }
    call.out.record(record, _doctor_lines(findings, fixed, quiet=call.out.quiet))
    return None if level is Level.OK else ExitStatus.NO


def _doctor_lines(findings: list[Finding], fixed: list[str], *, quiet: bool) -> Iterator[Line]:
    for done in fixed:
        yield [("fixed    ", "green"), done]
    for one in findings:
        if quiet and one.level is Level.OK:
            continue
        yield [(f"{one.level:<9}", _STYLES[one.level]), one.message]
        if one.hint:
            yield f"         {one.hint}"
