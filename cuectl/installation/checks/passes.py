"""Whether passes are made on time and find what they need; the usual trap is cron's short PATH."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from contextlib import suppress

from cuectl.alerts.rules.routing import with_sendmail
from cuectl.definitions.in_force import SHORT_HINT, masker_for, short_secrets
from cuectl.definitions.rules.templates import UnsetName, environment_value
from cuectl.installation.status import ok, problem, warning
from cuectl.process.start_failure import missing_for
from cuectl.schedule.zones import find_zone
from cuectl.store.handler_files import read_env_file, read_secret
from cuectl.values.errors import Finding, Refused
from cuectl.values.records import dataclass
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.installation.checks.patient import Patient
    from cuectl.installation.schedulers.scheduler import Installed

_AGAIN = "install it again: cuectl scheduler install"
_RUNNING = {
    "crontab": "is cron running? systemctl status cron; its log: journalctl -t CRON",
    "systemd-timer": "look at: systemctl --user list-timers; cuectl scheduler status",
    "launchd": "look at: launchctl list; cuectl scheduler status",
}
_EARLIEST = "2026-01-01T00:00:00Z"
_AHEAD_MS = 60_000
_PLAIN = re.compile(r"[\w./+@~-]+")
_ASSIGNMENT = re.compile(r"\w+=")
_OF_THE_SHELL = frozenset(
    "! . : [ [[ { ( alias break builtin case cd command continue echo eval exec exit export "
    "false for function getopts hash if local printf pwd read readonly return select set shift "
    "source test time times trap true type ulimit umask unalias unset until wait while".split()
)


def scheduler(patient: Patient) -> Iterator[Finding]:
    """Answer what is set up to call `run-due`."""
    for one in patient.installed:
        yield from _scheduler(one)
    if patient.installed:
        return
    if patient.health.is_late(patient.runtime.now()):
        message = f"nothing is set up to call 'cuectl run-due' for '{patient.home}'"
        yield problem("scheduler_missing", message, "let cron do it: cuectl scheduler install")
    else:
        yield ok("scheduler", "a worker or an unknown scheduler calls 'cuectl run-due'")


def _scheduler(one: Installed) -> Iterator[Finding]:
    missing = [w for w in one.words if w.startswith("/") and not os.path.exists(w)]
    for path in missing:
        message = f"{one.scheduler} calls '{path}', which does not exist"
        yield problem("scheduler_program", message, _AGAIN)
    for message, hint in one.faults:
        yield problem("scheduler_fault", message, hint)
    if not one.is_current and not missing:
        message = f"{one.scheduler} calls an older program or PATH than 'install' would set"
        yield warning("scheduler_old", message, _AGAIN)
    if not missing and not one.faults and one.is_current:
        by_hand = ", from a line you wrote by hand" if one.by_hand else ""
        yield ok("scheduler", f"{one.scheduler} calls 'cuectl run-due' each minute{by_hand}")


def last_pass(patient: Patient) -> Iterator[Finding]:
    """Answer when it was called last."""
    health, now = patient.health, patient.runtime.now()
    hint = next((_RUNNING[one.scheduler] for one in patient.installed), "cuectl scheduler install")
    if health.last_pass_at is None:
        yield problem("pass_never", "nothing has ever called 'cuectl run-due' here", hint)
    elif health.is_late(now):
        message = f"nothing has called 'cuectl run-due' since {to_text(health.last_pass_at)}"
        yield problem("pass_late", message, hint)
    else:
        yield ok("last_pass", f"the last pass was {(health.age_ms(now) or 0) // 1000} s ago")


def clock(patient: Patient) -> Iterator[Finding]:
    """Answer whether the clock can be right."""
    now, last = patient.runtime.now(), patient.health.last_pass_at
    if patient.runtime.clock.is_set:
        message = f"CUECTL_NOW has set the clock, to {to_text(now)}"
        yield warning("clock_set", message, "unset CUECTL_NOW; it is for tests and dry runs")
    elif now < from_text(_EARLIEST):
        message = f"the clock says {to_text(now)}, before this program was written"
        yield problem("clock_wrong", message, "set it: timedatectl set-ntp true")
    elif last is not None and last > now + _AHEAD_MS:
        message = f"the last pass was at {to_text(last)}, and the clock says {to_text(now)}"
        yield problem("clock_back", message, "set it: timedatectl set-ntp true")
    else:
        yield ok("clock", f"the clock says {to_text(now)}")


def zones(patient: Patient) -> Iterator[Finding]:
    """Answer whether the zones of all cues can be loaded."""
    wanted = {patient.runtime.zone: "this machine"}
    if doubt := patient.runtime.zone_doubt:
        yield warning("zone_unknown", doubt, "name it: settings: {timezone: ZONE} in cue.yaml")
    if patient.in_force.settings.timezone:
        wanted[patient.in_force.settings.timezone] = "the settings"
    for cue in patient.cues:
        if cue.trigger.get("timezone"):
            wanted.setdefault(cue.trigger["timezone"], f"cue '{cue.name}'")
    broken = [name for name in sorted(wanted) if find_zone(name) is None]
    for name in broken:
        message = f"no data for the time zone '{name}' of {wanted[name]}"
        yield problem("zone_missing", message, "install the package tzdata")
    if not broken:
        yield ok("zones", f"data for all {len(wanted)} time zones is installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInUse:
    """What a handler, an agent, a sink or a cue runs; `user` names it for people."""

    user: str
    argv: tuple[str, ...]
    shell: str | None = None
    cwd: str
    env: Mapping[str, str]

    @property
    def program(self) -> str:
        """The program, '' when it can't be told; that of a line for the shell is guessed at."""
        word = self.argv[0] if self.argv else first_word(self.shell or "") or ""
        return "" if "{{" in word else word

    @property
    def folder(self) -> str:
        """The directory that it runs in."""
        return os.path.expanduser(self.cwd)


def _commands(patient: Patient) -> Iterator[CommandInUse]:
    parent = os.path.dirname(patient.home)
    for one in patient.in_force.definitions.handlers.values():
        user = f"handler '{one.name}'"
        yield CommandInUse(user=user, argv=one.argv, shell=one.shell, cwd=one.cwd, env=one.env)
    for agent in patient.in_force.agents.values():
        user, shell = f"agent '{agent.name}'", agent.shell
        argv = tuple(os.path.expanduser(word) for word in agent.argv[:1])
        if not argv and shell is None and agent.driver != "command":
            argv = (agent.driver,)
        yield CommandInUse(user=user, argv=argv, shell=shell, cwd=agent.cwd, env=agent.env)
    for sink in patient.in_force.alerts.values():
        user, cwd = f"alert sink '{sink.name}'", sink.cwd or parent
        argv = sink.argv or ((os.path.expanduser(sink.sendmail),) if sink.sendmail else ())
        env = {str(place): url for place, url in enumerate((sink.smtp or "", *sink.urls))}
        if sink.sendmail:
            env["PATH"] = with_sendmail(patient.pass_path)
        yield CommandInUse(user=user, argv=argv, cwd=cwd, env=env)
    for cue in patient.cues:
        user, env = f"cue '{cue.name}'", cue.target.get("env", {})
        command = cue.target if cue.target.get("type") == "command" else {}
        argv, cwd = tuple(command.get("argv", ())), command.get("cwd") or parent
        shell = command.get("shell")
        yield CommandInUse(user=user, argv=argv, shell=shell, cwd=cwd, env=env)


def on_the_path(patient: Patient) -> Iterator[Finding]:
    """Answer for the first word of every handler, agent, sink and command."""
    wanted = [one for one in _commands(patient) if one.program]
    found = [(one, _found(one, patient.pass_path)) for one in wanted]
    missing = [one for one, path in found if path is None]
    where = "the scheduler's PATH" if patient.installed else "the PATH"
    by_hand = any(one.by_hand for one in patient.installed)
    way = "crontab -e" if by_hand else "cuectl scheduler install"
    for one in missing:
        message = f"'{one.program}' of {one.user} is not on {where}"
        hint = f"write its whole path, or put its directory on the PATH: {way}"
        if "/" in one.program:
            message = f"'{one.program}' of {one.user} is not a program in '{one.folder}'"
            hint = "make it, or fix its mode: chmod +x"
        elif yours := shutil.which(one.program, path=patient.runtime.environment.get("PATH")):
            hint = f"it is '{yours}' on your PATH; {hint}"
        yield (problem if one.argv else warning)("program_missing", message, hint)
    # A shell does without the first line of a script.
    scripts = [(one, path) for one, path in found if path and one.argv]
    broken = [(one, why) for one, path in scripts if (why := missing_for(path))]
    for one, why in broken:
        message = f"'{one.program}' of {one.user} can't be started: {why}"
        yield problem("program_broken", message, "fix the script, or its first line")
    yield from _other_programs(patient, found)
    if not missing and not broken:
        yield ok("programs", f"all {len(wanted)} programs are on {where}")


def _other_programs(
    patient: Patient, found: list[tuple[CommandInUse, str | None]]
) -> Iterator[Finding]:
    """Tell where your shell would run another program of that name than the scheduler does."""
    yours = patient.runtime.environment.get("PATH", os.defpath)
    if yours == patient.pass_path:
        return
    for one, path in found:
        mine = _found(one, yours)
        if mine and path and not os.path.samefile(mine, path):
            message = f"'{one.program}' of {one.user} is '{path}' for the scheduler"
            hint = "write the path of the one you mean; try it: cuectl fire NAME --as-scheduled"
            yield warning("program_differs", f"{message}, and '{mine}' in your shell", hint)


def first_word(command: str) -> str | None:
    """Return the program that a line for the shell starts with, None when it is not plain."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    word = next((word for word in words if not _ASSIGNMENT.match(word)), "")
    is_plain = word not in _OF_THE_SHELL and _PLAIN.fullmatch(word)
    return os.path.expanduser(word) if is_plain else None


def _found(wanted: CommandInUse, path: str) -> str | None:
    if "/" in wanted.program:
        program = os.path.join(wanted.folder, wanted.program)
        return program if os.path.isfile(program) and os.access(program, os.X_OK) else None
    own = wanted.env.get("PATH", "")
    # What takes the place of a variable in there is known to a pass alone.
    searched = f"{own}{os.pathsep}{path}" if "$" in own else own or path
    return shutil.which(wanted.program, path=searched)


def env_file(patient: Patient) -> Iterator[Finding]:
    """Answer whether `~/.cue/env` is for us alone."""
    try:
        yield ok("env", f"'{patient.home}/env' sets {len(read_env_file(patient.home))} variables")
    except Refused as error:
        hint = f"{error.hint or 'chmod 600'}, or: cuectl doctor --fix"
        yield problem("env_open", error.message, hint)


def secret_files(patient: Patient) -> Iterator[Finding]:
    """Answer whether the keys of webhooks can be read by us alone."""
    for sink in patient.in_force.alerts.values():
        try:
            if sink.secret_file is not None:
                read_secret(os.path.expanduser(sink.secret_file))
        except Refused as error:
            message = f"alert sink '{sink.name}': {error.message}"
            yield problem("secret_file", message, error.hint or f"look at: {sink.secret_file}")


def unmasked_secrets(patient: Patient) -> Iterator[Finding]:
    """Answer whether every declared secret is long enough to be masked."""
    with suppress(Refused):
        masker = masker_for(patient.in_force.secrets, patient.pass_environment.get)
        given = [(cue.target, cue.payload) for cue in patient.cues]
        for name in short_secrets(patient.in_force.definitions, masker, given):
            message = f"the secret '{name}' is too short to be masked in texts"
            yield warning("secret_short", message, SHORT_HINT)


def unset_names(patient: Patient) -> Iterator[Finding]:
    """Answer whether every `${NAME}` means something in a pass."""
    try:
        known = patient.pass_environment
    except Refused:
        # `env_file` has said so.
        return
    hint = f"give it a value in {patient.home}/env"
    unset = [(one.user, name) for one in _commands(patient) for name in _unset(one.env, known)]
    for user, name in unset:
        if name in patient.runtime.environment:
            message = f"'{name}' of {user} is set in this shell, and not for passes"
            yield warning("name_unset_in_passes", message, hint)
        else:
            yield problem("name_unset", f"'{name}' of {user} is not set", hint)
    if not unset:
        yield ok("names", "every ${NAME} has a value")


def _unset(env: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    stand_ins: dict[str, str] = {}
    for text in env.values():
        while (name := _first_unset(text, {**known, **stand_ins})) is not None:
            stand_ins[name] = ""
    return list(stand_ins)


def _first_unset(text: str, known: Mapping[str, str]) -> str | None:
    try:
        environment_value(text, {}, known.get)
    except UnsetName as error:
        return error.name
    return None
