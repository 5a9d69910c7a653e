"""Change a cue: `update`, `edit`, `pause`, `resume`, `delete`."""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.cues.create import report
from cuectl.cli.commands.cues.options import (
    POLICY_OPTIONS,
    SCHEDULE_OPTIONS,
    WEBHOOK_OPTIONS,
    WORK_OPTIONS,
    draft_of,
)
from cuectl.cli.commands.input import CUE, CUES, confirm
from cuectl.cli.commands.reading import (
    changed_cues,
    found_cues,
    next_line,
    payload_of,
    public,
    reader_of,
)
from cuectl.cli.frame.declare import Argument, Option, command, key_of
from cuectl.cli.frame.terminal import Column, fitted
from cuectl.values.errors import Conflict, CuectlError, InvalidFile, UsageError
from cuectl.values.safe_text import visible

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call
    from cuectl.cues.create import Drafted
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.store.store import Transaction

# Option to the field that it empties, as `CueDraft.cleared` calls it.
_CLEARING = {
    "no_description": "description",
    "no_payload": "payload",
    "no_env": "env",
    "no_timeout": "timeout_s",
    "no_retries": "max_attempts",
    "no_deadline": "deadline_s",
    "no_outcome_deadline": "outcome_deadline_s",
    "no_jitter": "jitter_s",
    "no_alert": "alert",
    "no_alert_after": "alert_after",
    "no_remind": "remind_s",
    "no_tag": "tags",
    "no_ping_url": "ping_url",
    "no_except": "except_",
    "no_only": "only",
    "no_move": "move",
    "no_on_failure": "on_failure",
    "no_expect_within": "expect_within_s",
    "no_expect_by": "expect_by",
}

_HEADING = """\
# Save to change the cue, leave without saving to keep it as it is.
# The form is that of a cue.yaml; keys that you leave out get their defaults.
"""


@command(
    "update",
    Argument("CUE", CUE.help, complete="cue"),
    Option("--name NAME", "Its new name"),
    *SCHEDULE_OPTIONS,
    Option("--no-schedule", "Fire by hand only"),
    *WORK_OPTIONS,
    *WEBHOOK_OPTIONS,
    Option("--no-payload", "Empty the payload"),
    Option("--no-env", "Drop all variables"),
    *POLICY_OPTIONS,
    Option("--no-timeout", "Use the default time limit"),
    Option("--no-retries", "Never try again"),
    Option("--no-deadline", "Start however late"),
    Option("--no-jitter", "Start at the nominal time"),
    Option("--no-outcome-deadline", "Do not wait for a report"),
    Option("--no-alert", "Use the default alert sink"),
    Option("--no-alert-after", "Alert after the default number of failures"),
    Option("--no-remind", "Alert again after the default time"),
    Option("--no-tag", "Drop all tags"),
    Option("--no-ping-url", "Stop pinging a monitor"),
    Option("--no-except", "Skip no days"),
    Option("--no-only", "Start on any day"),
    Option("--no-move", "Move nothing to a workday"),
    Option("--no-on-failure", "Do nothing extra when it fails"),
    Option("--no-expect-within", "Expect no duration"),
    Option("--no-expect-by", "Expect no time of success"),
    Option("--description TEXT", "A description"),
    Option("--no-description", "Drop the description"),
    argv="New command to run, without a shell",
    see="create, edit, next",
)
def update(call: Call, *, cue: str, **values: Any) -> None:
    """Change a cue's schedule, handler or policies.

    Takes the options of cuectl create and changes only what they name. A new schedule keeps the
    time zone and starts now; running executions continue unchanged. A finished cue fires again when
    you give it a new schedule.
    """
    from cuectl.cues.change import update_cue

    if not any(value not in (None, False, ()) for value in values.values()):
        raise UsageError("expected something to change", hint="see: cuectl update --help")
    cleared = frozenset(field for option, field in _CLEARING.items() if values[option])
    cleared |= {"expect_times"} if "expect_within_s" in cleared else set()
    for option in _CLEARING:
        given = option.removeprefix("no_")
        if values[option] and values[key_of(given)] not in (None, ()):
            name = given.replace("_", "-")
            raise UsageError(f"'--{name}' and '--no-{name}' exclude each other")
    draft = draft_of(values, cwd=None, cleared=cleared)
    made = update_cue(call.runtime, cue, draft)
    report(call, made, values, payload=payload_of(call, made.cue))
    if not made.changed:
        call.out.tell("nothing was changed")


@command("edit", CUE, see="update, cue.yaml(5)")
def edit(call: Call, *, name: str) -> None:
    """Edit a cue in $EDITOR.

    Opens the cue in $VISUAL, $EDITOR or vi, in the form that it would have in a cue.yaml. What is
    saved is checked; where it is not valid, the editor can be opened again, and the draft is kept
    if not. Needs a terminal: scripts use cuectl update.
    """
    watched = sys.stdin.isatty() and sys.stdout.isatty()
    if call.settings.no_input or call.out.json or not watched:
        hint = "scripts change a cue with: cuectl update NAME --option VALUE"
        raise UsageError("an editor needs a terminal", hint=hint)
    made = Editing(call, name).run()
    if made is None:
        call.out.tell("nothing was changed")
    else:
        report(call, made, {}, payload=None)


class Editing:
    """One cue in the editor, from opening it to the change."""

    def __init__(self, call: Call, name: str) -> None:
        import tempfile

        from cuectl.cues.lookup import find_cue
        from cuectl.cues.rules.draft import cue_text

        self.call = call
        self.cue, _ = find_cue(reader_of(call), name)
        self.text = cue_text(self.cue, payload_of(call, self.cue))
        folder = call.environment.get("TMPDIR") or None
        self.directory = tempfile.mkdtemp(prefix="cuectl-", dir=folder)
        self.path = f"{self.directory}/cue.yaml"

    def run(self) -> Drafted | None:
        """Edit until the cue is changed, or left as it is (None); on an error the draft stays."""
        from cuectl.cues.change import change_by_text

        with open(self.path, "w", encoding="utf-8") as file:
            file.write(_HEADING + self.text)
        while True:
            self._open()
            text = self._read()
            if text in ("", _HEADING + self.text):
                self._clean_up()
                return None
            try:
                made = change_by_text(self.call.runtime, self.cue, self.text, text, self.path)
            except (UsageError, InvalidFile, Conflict) as error:
                if not self._again(error):
                    raise
            else:
                self._clean_up()
                return made

    def _again(self, error: CuectlError) -> bool:
        hint = f"hint: {visible(error.hint, newlines=False)}\n" if error.hint else ""
        said = f"cuectl: error: {visible(error.message, newlines=False)}\n{hint}"
        sys.stderr.write(fitted(f"{said}edit it again? [Y/n] ", self.call.environment, sys.stderr))
        sys.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("", "y", "yes"):
            return True
        self.call.out.tell(f"the draft is kept in '{self.path}'")
        return False

    def _open(self) -> None:
        environment = self.call.environment
        line = environment.get("VISUAL") or environment.get("EDITOR") or "vi"
        try:
            argv = [*shlex.split(line), self.path]
        except ValueError as error:
            raise UsageError(f"the editor '{line}' can't be split into words: {error}") from error
        status = os.spawnvpe(os.P_WAIT, argv[0], argv, dict(environment))  # noqa: S606
        if status != 0:
            what = "was not found" if status == 127 else f"ended with status {status}"
            self._clean_up()
            raise UsageError(f"the editor '{argv[0]}' {what}; nothing was changed")

    def _read(self) -> str:
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise UsageError(f"'{self.path}' is not UTF-8: byte {error.start}") from error

    def _clean_up(self) -> None:
        import shutil

        shutil.rmtree(self.directory, ignore_errors=True)


_SOME = Argument("[NAME...]", CUES.help, complete="cue")
_ALL = Option("--all", "All cues")


def _chosen(call: Call, names: tuple[str, ...], option: str, *status: str) -> tuple[str, ...]:
    """Return the names, or the ids of all cues with a status, which an option asked for."""
    from cuectl.cues.lookup import all_cues

    if bool(names) is bool(status):
        what = f"give names or '{option}', not both" if names else f"give a name, or '{option}'"
        raise UsageError(what, hint=f"see: cuectl {call.command.name} --help")
    return names or tuple(cue.id for cue, one in all_cues(reader_of(call)) if one.status in status)


@command(
    "pause",
    _SOME,
    _ALL,
    Option("--until TIME", "Resume automatically at this time: 'mon 9:00', '2h', '2026-12-01'"),
    Option("--reason TEXT", "Why, for the log"),
    see="resume, list",
)
def pause(
    call: Call, *, name: tuple[str, ...], all: bool, until: str | None, reason: str | None
) -> None:
    """Stop firing a cue, keeping it.

    A paused cue keeps everything and stops firing until it is resumed. What runs continues, and the
    cue can be started by hand (cuectl fire). With --until a pass resumes it at that time.
    """
    from cuectl.cues.change import stage_pause

    end = None if until is None else _end_of_pause(call, until)
    chosen = _chosen(call, name, "--all", *(["active"] if all else []))
    stays = "" if end is None else f" until {call.out.when(end, call.runtime.now())}"
    for cue, done in changed_cues(call, chosen, partial(stage_pause, reason=reason, until=end)):
        call.out.say(f"paused '{cue.name}'{stays}" if done else f"'{cue.name}' was paused already")
    if all and not chosen:
        call.out.tell("no cue is active")


def _end_of_pause(call: Call, text: str) -> int:
    from cuectl.schedule.words import parse_moment
    from cuectl.values.times import duration_ms

    now, zone = call.runtime.now(), "UTC" if call.settings.utc else call.runtime.zone
    try:
        span = duration_ms(text)
        return now + span if span else parse_moment(text, now_ms=now, zone_name=zone)
    except UsageError as error:
        raise UsageError(f"option '--until': {error.message}") from None


@command("resume", _SOME, _ALL, see="pause, fire")
def resume(call: Call, *, name: tuple[str, ...], all: bool) -> None:
    """Resume a paused cue.

    A resumed cue fires from now on. What fell due while it was paused does not run: it becomes one
    record, skipped because of the pause. A one-shot whose time has passed is finished by that.
    """
    from cuectl.cues.change import stage_resume

    chosen = _chosen(call, name, "--all", *(["paused"] if all else []))
    if all and not chosen:
        call.out.tell("no cue is paused")
    for cue, resumed in changed_cues(call, chosen, stage_resume):
        if not resumed.changed:
            call.out.say(f"'{cue.name}' was not paused")
            continue
        call.out.say(f"resumed '{cue.name}'")
        if resumed.skipped:
            what = f"{resumed.skipped} occurrences" if resumed.skipped > 1 else "one occurrence"
            call.out.say(f"{what} fell due meanwhile: recorded as skipped (paused)")
        call.out.say(next_line(call, cue, resumed.state, call.runtime.now()))


@command("undelete", CUE, see="delete, log")
def undelete(call: Call, *, name: str) -> None:
    """Bring back a deleted cue.

    Makes a cue again as it was when it was deleted, with its id and its history, for as long as the
    journal has its definition (settings, retention). It fires from now on; what fell due meanwhile
    is left out.
    """
    from cuectl.cues.change import undelete as bring_back

    cue, state = bring_back(call.runtime, name)
    lines = [f"{cue.id}  {cue.name}", next_line(call, cue, state, call.runtime.now())]
    call.out.record(public(call, cue, state), lines)


@command(
    "delete",
    _SOME,
    Option("--finished", "All finished cues: one-shots that have run"),
    Option("-y, --yes", "Do not ask"),
    Option("--dry-run", "Show what would be deleted"),
    see="undelete, pause, cancel",
    table=True,
)
def delete(call: Call, *, name: tuple[str, ...], finished: bool, yes: bool, dry_run: bool) -> None:
    """Delete a cue; its executions stay.

    Deletes cues; their executions, with evidence, output and log, stay until they are too old
    (cuectl gc). What runs continues to its end; what has not started is recorded as skipped. Asks
    first on a terminal, and needs --yes elsewhere. A deleted cue can be brought back: cuectl
    undelete.
    """
    from cuectl.cues.change import stage_delete
    from cuectl.cues.rules.record import AT_REST
    from cuectl.executions.effects import bare_effects

    found = found_cues(call, _chosen(call, name, "--finished", *(AT_REST if finished else ())))
    if not found and call.out.for_people:
        call.out.tell("no cue has finished")
        return
    if dry_run:
        columns = (Column("name", "WOULD DELETE"), Column("status"), Column("id"))
        call.out.records([public(call, *one) for one in found], columns)
        return
    names = ", ".join(f"'{cue.name}'" for cue, _ in found)
    if found:
        confirm(call, f"delete {names}?", yes=yes)
    ids = tuple(cue.id for cue, _ in found)

    def stage(tx: Transaction, cue: Cue, state: CueState) -> int:
        return stage_delete(tx, cue, state, bare_effects(call.runtime, tx.now))

    for cue, going_on in changed_cues(call, ids, stage, gone=True):
        call.out.say(f"deleted '{cue.name}'; its history stays")
        if going_on:
            word = "executions continue" if going_on > 1 else "execution continues"
            call.out.say(f"{going_on} {word}; to stop them: cuectl cancel")
