"""Make a state directory: new, for a demo, from an export or from a crontab."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from cuectl.cli.frame.declare import Argument, Option, command
from cuectl.values.errors import ExitStatus, NotFound, UsageError
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call
    from cuectl.installation.crontab_import import Imported, LeftOut
    from cuectl.installation.demo import Played
    from cuectl.installation.home_setup import Archived

_NEXT = (
    ("cuectl create --name hello --cron '@hourly' -- echo hello", "something to run"),
    ("cuectl scheduler install", "let cron run it"),
    ("cuectl doctor", "see whether all is well"),
)
_NEXT_HERE = (("cuectl apply", "take cue.yaml over"), *_NEXT[1:])
_LARGEST_CRONTAB = 1 << 20


@command(
    "init",
    Option("--here", "Write a cue.yaml into the current directory"),
    exits={6: "with --here: there is a cue.yaml already"},
    see="create, apply, scheduler install, cue.yaml(5)",
)
def init(call: Call, *, here: bool) -> None:
    """Make the state directory, and a cue.yaml with --here.

    Makes the state directory, private to its user, and says what to do next. Nothing needs it: the
    first command that writes makes the directory too. Doing it again changes nothing.

    With --here a commented cue.yaml is written into the current directory, to be changed and taken
    over with 'cuectl apply'.
    """
    from cuectl.installation.home_setup import begin

    begun = begin(call.runtime, _directory() if here else None)
    steps = _NEXT_HERE if here else _NEXT
    record = {
        "home": call.runtime.home,
        "created": begun.created,
        "file": begun.file,
        "next": [command for command, _ in steps],
    }
    lines = [f"{'made' if begun.created else 'there is'} {call.runtime.home}"]
    if begun.file:
        lines.append(f"wrote {begun.file}")
    if not call.out.quiet:
        width = max(len(command) for command, _ in steps)
        lines += ["", "next:", *(f"  {command:<{width}}  # {why}" for command, why in steps)]
    call.out.record(record, lines)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory is gone", hint="cd somewhere else") from error


@command(
    "demo",
    Option(
        "--fleet", "Show other machines instead: a Redis and two workers of its own, one killed"
    ),
    see="init, create, report, chain, cuectl-executors(7)",
)
def demo(call: Call, *, fleet: bool) -> None:
    """Simulate three days in ten seconds, in a temporary directory.

    An audit each night that shows evidence for what it did and has it checked the day after; and a
    second one that ends well, shows nothing, and is found out. Each step is a command that you
    could type; the program runs it, on a clock of its own, in a directory that is gone afterwards.
    Your own state is not touched, and nothing goes over a network.

    With --fleet it starts a Redis and two workers on this machine, gives them a hundred runs, kills
    a worker, and counts what was done. It needs redis-server and Celery, and takes a minute.
    """
    if fleet:
        from cuectl.installation.fleet_demo import play_fleet

        for line in play_fleet(call.environment):
            call.out.item({"type": "step", "about": line}, line, ("about",))
        return
    from cuectl.installation.demo import play

    for played in play(call.environment):
        _show(call, played)
    call.out.say("")
    call.out.say("nothing of this is kept; to start: cuectl init")


def _show(call: Call, played: Played) -> None:
    words = ("cuectl", *played.scene.words)
    about = {"type": "step", "time": to_text(played.at), "about": played.scene.about}
    record = {**about, "command": [*words], "status": played.status, "output": played.output}
    if not call.out.for_people:
        call.out.item(record, "", ("time", "command", "status"))
        return
    call.out.line("")
    call.out.line([(f"# {played.scene.about}", "dim")])
    call.out.item(record, [(f"$ {shlex.join(words)}", "bold")])
    for line in played.output.splitlines():
        call.out.line(line)


@command(
    "export",
    Argument("FILE", "The file to write; must not exist", complete="file"),
    exits={5: "there is no state directory", 6: "the file exists"},
    see="import, cuectl-state(7)",
)
def export(call: Call, *, file: str) -> None:
    """Write the state directory into one file.

    Writes a gzipped tar file with everything that the state directory holds: cues, records, the
    journal, definitions, outputs, and the file 'env' with its secrets, so the file is private to
    its user. What the records say is of one instant, also while passes are made; outputs are as
    long as they were when they were read.

    The file appears under its name when it is whole. 'cuectl import' reads it.
    """
    from cuectl.installation.home_setup import export_home

    done = export_home(call.runtime, file)
    _show_copied(call, done, f"wrote {done.path}: {done.files} files, {done.size} bytes")


def _show_copied(call: Call, done: Archived, *lines: str) -> None:
    record = {"home": call.runtime.home, "file": done.path, "files": done.files, "bytes": done.size}
    call.out.record(record, () if call.out.quiet else lines)


@command(
    "import",
    Argument("FILE", "A file that export wrote", complete="file"),
    exits={
        5: "there is no such file",
        6: "there is a state directory already",
        7: "the file is damaged, or is no export",
    },
    see="export, doctor, scheduler install",
)
def import_archive(call: Call, *, file: str) -> None:
    """Restore from an export.

    Makes a state directory that is not there yet, in one step: it is unpacked and checked beside
    its place first. A file that is damaged, or holds anything but what 'cuectl export' writes, is
    refused, and nothing is left of it.

    Nothing runs by itself before a scheduler is installed. Work that was open when the file was
    written is found by the first pass, as after a crash.
    """
    from cuectl.installation.home_setup import import_home

    done = import_home(call.runtime, file)
    made = f"restored {done.files} files to {call.runtime.home}"
    _show_copied(call, done, made, "next: cuectl doctor")


@command(
    "import-crontab",
    Argument("FILE", "The crontab of a user; - reads standard input", complete="file"),
    Option("--apply", "Make the cues"),
    Option("--system", "Read a crontab with a column for the user, such as /etc/crontab"),
    exits={3: "some lines were not carried over"},
    see="create, scheduler install",
)
def import_crontab(call: Call, *, file: str, apply: bool, system: bool) -> int | None:
    """Import cues from a crontab.

    Prints the 'cuectl create' commands that make the same cues, one a line, so that they can be
    looked at, changed and run by sh. With --apply the cues are made at once, and the variables of
    the crontab written to 'environments' in ~/.cue/cue.yaml. Jobs have no time limit, as in cron.

    What a cue has no counterpart for is named on standard error, with its line: @reboot, @every,
    six fields, text behind a plain '%', lines that are wrong or not UTF-8, and lines that call
    cuectl itself. The crontab is only read: take the lines out of it yourself, or the work is done
    twice. A crontab of the system is read with --system; it gives the lines of the user who calls.
    """
    from cuectl.installation.crontab_import import command_of, imported, make_cues

    found = imported(call.runtime, _read(file), file, system=system)
    path = "" if file == "-" else os.path.abspath(file)
    made = make_cues(call.runtime, found, path) if apply else {}
    cues: list[dict[str, Any]] = [
        {"line": one.line, "name": one.draft.name, "command": command_of(one.draft)}
        | {"id": made.get(one.line)}
        for one in found.entries
        if not apply or one.line in made
    ]
    if call.out.json:
        left_out, notes = map(_record, found.left_out), map(_record, found.notes)
        record = {"applied": apply, "cues": cues, "environments": found.environments}
        call.out.record(record | {"left_out": list(left_out), "notes": list(notes)})
    else:
        _print(call, cues, found, applied=apply)
    return ExitStatus.PARTLY if found.left_out else None


def _read(file: str) -> str:
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(_LARGEST_CRONTAB + 1)
        else:
            with open(file, "rb") as opened:
                raw = opened.read(_LARGEST_CRONTAB + 1)
    except FileNotFoundError:
        hint = "your own crontab: crontab -l | cuectl import-crontab -"
        raise NotFound(f"there is no file '{os.path.abspath(file)}'", hint=hint) from None
    if len(raw) > _LARGEST_CRONTAB or b"\0" in raw:
        raise UsageError(f"'{file}' is no crontab")
    return raw.decode("utf-8-sig", "surrogateescape")


def _record(one: LeftOut) -> dict[str, Any]:
    return {"line": one.line, "text": one.text, "why": one.why}


def _print(call: Call, cues: list[dict[str, Any]], found: Imported, *, applied: bool) -> None:
    if found.environments and not applied:
        from cuectl.cues.rules.draft import yaml_lines

        for line in ("for ~/.cue/cue.yaml:", *yaml_lines({"environments": found.environments}, 0)):
            call.out.line(f"# {line}")
    for one in cues:
        call.out.line(f"{one['id']}  {one['name']}" if applied else shlex.join(one["command"]))
    for left in found.left_out:
        call.out.warn(f"line {left.line} is not carried over: {left.why}: {left.text}")
    for note in found.notes:
        call.out.warn(f"line {note.line}: {note.text}: {note.why}")
    if applied and cues:
        call.out.tell("note: these jobs have no time limit: cuectl update NAME --timeout 1h")
        call.out.tell("note: the crontab still runs these lines too; remove them: crontab -e")
