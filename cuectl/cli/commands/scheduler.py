"""`cuectl scheduler`: what calls run-due each minute."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import confirm
from cuectl.cli.frame.declare import Option, command
from cuectl.values.errors import Conflict, CuectlError, ExitStatus, NotFound, UsageError
from cuectl.values.safe_text import visible
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.output import Line
    from cuectl.cli.frame.run import Call
    from cuectl.installation.open_work import SchedulerHealth
    from cuectl.installation.schedulers import Scheduler
    from cuectl.installation.schedulers.scheduler import Installed, Site, Step
    from cuectl.installation.schedulers.worker_service import WorkerService

CHOICES = ("auto", "crontab", "systemd-timer", "launchd")
"""Kept equal to the engine's registry by a test."""

WHICH = Option(
    "--scheduler NAME", "The scheduler; auto takes the first that works here", choices=CHOICES
)
WATCHES = Option("--watch", "Also check every 15 minutes, and alert your sinks when passes stop")
DRY_RUN = Option("--dry-run", "Show what would be written and run, without doing it")
YES = Option("--yes", "Do not ask for confirmation")
WORKER = Option("--worker NAME", "Install a worker for this executor, as a systemd user service")


def _site(call: Call) -> Site:
    from cuectl.installation.schedulers.scheduler import Site

    return Site(home=call.runtime.home, environment=call.environment)


def _carry_out(
    call: Call, steps: list[Step], question: str, *, dry_run: bool, yes: bool
) -> list[dict[str, Any]]:
    from cuectl.installation.schedulers.scheduler import perform

    if call.out.for_people and not (call.out.quiet and not dry_run):
        for line in _shown(steps):
            call.out.line(line)
    if steps and not dry_run:
        confirm(call, question, yes=yes)
        perform(steps, call.environment)
    return [step.to_record() for step in steps]


def _shown(steps: list[Step]) -> Iterator[Line]:
    from cuectl.installation.schedulers.scheduler import Write

    for step in steps:
        if isinstance(step, Write):
            yield f"{'remove' if step.after is None else 'write'} {step.place}"
            yield from _difference(step.before, step.after)
        else:
            yield f"run {shlex.join(step.words)}"


def _difference(before: bytes | None, after: bytes | None) -> Iterator[Line]:
    import difflib

    old, new = (
        (text or b"").decode("utf-8", "surrogateescape").splitlines() for text in (before, after)
    )
    for line in difflib.unified_diff(old, new, lineterm="", n=0):
        if not line.startswith(("+++", "---", "@@")):
            style = "green" if line[0] == "+" else "red"
            yield [("    " + line[0] + " " + line[1:], style)]


@command(
    "scheduler install",
    WHICH,
    WATCHES,
    WORKER,
    DRY_RUN,
    YES,
    argv="With --worker: the options of 'executors worker'",
    exits={
        6: "another scheduler already does, or the text is not ours to change",
        8: "you answered no, there was no terminal, or no scheduler works here",
    },
    see="scheduler status, scheduler remove, run-due, status",
)
def install(
    call: Call,
    *,
    scheduler: str | None,
    watch: bool,
    worker: str | None,
    dry_run: bool,
    yes: bool,
    argv: tuple[str, ...] | None,
) -> None:
    """Have cron, a systemd timer or launchd call run-due each minute.

    Shows the exact text to write and the commands to run, asks, and goes ahead. Paths are absolute,
    and PATH and CUECTL_HOME are spelled out, because a scheduler knows nothing of your shell:
    handlers get the PATH of this call.

    Install again after cuectl has moved or PATH has changed, to update the entry. Each state
    directory has its own.

    With --watch, a second entry calls 'cuectl scheduler watch' every 15 minutes, which alerts you
    when passes stop. It stays until 'scheduler remove'.

    With --worker, systemd keeps 'cuectl executors worker NAME' running in this directory, with the
    options after '--', and no pass is scheduled. Its key comes from ~/.cue/env.
    """
    if worker is not None:
        _install_worker(call, worker, argv or (), dry_run=dry_run, yes=yes)
        return
    if argv is not None:
        raise UsageError("what follows '--' is for '--worker NAME'")
    site = _site(call)
    chosen = _choose(site, scheduler)
    steps = chosen.installation(watch=watch)
    if not steps:
        call.out.say(f"{chosen.name} calls 'cuectl run-due' each minute already")
    if steps and not dry_run:
        # A scheduler would fail each minute where the home can't be made.
        _ = call.runtime.existing_store
    also = ", and watch that it does" if watch else ""
    question = f"have {chosen.name} call 'cuectl run-due' each minute{also}?"
    done = _carry_out(call, steps, question, dry_run=dry_run, yes=yes)
    if steps and not dry_run:
        from cuectl.store.pass_files import forget_environment

        forget_environment(site.home)
        if chosen.installed() is None:
            raise CuectlError(f"{chosen.name} accepted the entry but does not have it")
        call.out.say(f"{chosen.name} calls 'cuectl run-due' each minute now; see: cuectl status")
    if not call.out.for_people:
        changed = bool(steps) and not dry_run
        record = {"scheduler": chosen.name, "home": site.home, "dry_run": dry_run}
        call.out.record(record | {"changed": changed, "steps": done})


def _install_worker(
    call: Call, name: str, words: tuple[str, ...], *, dry_run: bool, yes: bool
) -> None:
    import os

    for option in ("--config", "--url"):
        if not any(word.partition("=")[0] == option for word in words):
            hint = f"scheduler install --worker {name} -- --config FILE --url URL"
            raise UsageError(f"the worker lacks '{option}'", hint=hint)
    service = _service(call, name)
    service.check()
    steps = service.installation(words, os.getcwd())
    question = f"have systemd keep a worker for '{name}' running?"
    done = _carry_out(call, steps, question, dry_run=dry_run, yes=yes)
    if not dry_run:
        call.out.say(f"systemd keeps '{service.unit}.service' running")
    _tell_of_worker(call, done, {"scheduler": "systemd-service"}, dry_run=dry_run)


def _service(call: Call, name: str) -> WorkerService:
    from cuectl.installation.schedulers.worker_service import WorkerService
    from cuectl.values.ids import check_name

    check_name(name, "executor")
    return WorkerService(_site(call), name)


def _tell_of_worker(
    call: Call, done: list[dict[str, Any]], who: dict[str, Any], *, dry_run: bool
) -> None:
    if not call.out.for_people:
        changed = bool(done) and not dry_run
        record = {**who, "home": call.runtime.home, "dry_run": dry_run}
        call.out.record(record | {"changed": changed, "steps": done})


def _choose(site: Site, name: str | None) -> Scheduler:
    from cuectl.installation.schedulers import AUTO, choose, find_installed

    there = find_installed(site)
    if name in (None, AUTO) and there:
        name = there[0].scheduler
    chosen = choose(site, name or AUTO)
    for one in there:
        if one.scheduler != chosen.name:
            message = f"{one.scheduler} calls 'cuectl run-due' for '{site.home}' already"
            raise Conflict(message, hint="remove it first: cuectl scheduler remove")
        if one.by_hand:
            message = "a line of your own calls 'cuectl run-due' in the crontab already"
            raise Conflict(message, hint="remove it first: crontab -e")
    return chosen


@command(
    "scheduler remove",
    WHICH,
    WORKER,
    DRY_RUN,
    YES,
    exits={8: "you answered no, or there was no terminal"},
    see="scheduler install, pause",
)
def remove(
    call: Call, *, scheduler: str | None, worker: str | None, dry_run: bool, yes: bool
) -> None:
    """Remove the cron line or timer.

    Removes what 'scheduler install' wrote for this state directory, and nothing else: no entry of
    another state directory, no line written by hand, no drop-in of a unit. Without --scheduler, it
    looks in all of them. Cues and all records stay.
    """
    from cuectl.installation.schedulers import AUTO, find_installed, schedulers

    if worker is not None:
        service = _service(call, worker)
        question = f"have systemd stop the worker for '{worker}'?"
        done = _carry_out(call, service.removal(), question, dry_run=dry_run, yes=yes)
        _tell_of_worker(
            call, done, {"schedulers": ["systemd-service"] if done else []}, dry_run=dry_run
        )
        return
    site = _site(call)
    there = {one.scheduler: one for one in find_installed(site)}
    chosen = (one for one in schedulers(site) if scheduler in (None, AUTO, one.name))
    removals = {one.name: one.removal() for one in chosen if one.name in there}
    names = [name for name, found in removals.items() if found]
    steps = [step for found in removals.values() for step in found]
    question = f"have {' and '.join(names)} stop calling 'cuectl run-due'?"
    done = _carry_out(call, steps, question, dry_run=dry_run, yes=yes)
    if not steps:
        call.out.say("nothing that 'scheduler install' wrote calls 'cuectl run-due' here")
    elif not dry_run:
        call.out.say("removed; your cues no longer run by themselves")
    if any(one.by_hand for one in there.values()):
        call.out.warn("a line of your own is in the crontab", hint="see: crontab -l")
    if not call.out.for_people:
        changed = bool(steps) and not dry_run
        record = {"schedulers": names, "home": site.home, "dry_run": dry_run}
        call.out.record(record | {"changed": changed, "steps": done})


@command(
    "scheduler status",
    WHICH,
    exits={4: "none is installed, or one does not work"},
    see="scheduler install, status",
)
def show_scheduler(call: Call, *, scheduler: str | None) -> int | None:
    """Show what calls run-due, and when it last did.

    Shows every scheduler that calls 'cuectl run-due' for this state directory, with its command and
    PATH, whether it works, and when a pass was last seen. It also finds a line written into the
    crontab by hand, but not one of another user or in /etc.
    """
    from cuectl.installation.open_work import scheduler_health
    from cuectl.installation.schedulers import AUTO, find_installed

    site = _site(call)
    found = [one for one in find_installed(site) if scheduler in (None, AUTO, one.scheduler)]
    health = scheduler_health(site.home)
    last, now = health.last_pass_at, call.runtime.now()
    installed = [{**one.to_record(), "faults": [text for text, _ in one.faults]} for one in found]
    seen = {"last_pass_at": None if last is None else to_text(last), "late": health.is_late(now)}
    record = {"home": site.home, "installed": installed, **seen}
    call.out.record(record, _lines(call, found, health, now))
    works = bool(found) and not any(one.faults for one in found)
    return None if works else ExitStatus.NO


@command(
    "scheduler watch",
    exits={4: "no pass has run since the last check"},
    see="scheduler install, alerts list, status",
)
def watch_scheduler(call: Call) -> int | None:
    """Alert your sinks when nothing calls run-due.

    The second entry of 'scheduler install --watch' calls this. If no pass has run since the last
    check, it raises the alert 'scheduler_silent', once, and reports the recovery when passes run
    again. It runs no pass itself. If the state directory is locked or damaged, it says so, and
    alerts your sinks anyway. cron mails what it prints on standard error.

    A machine that was off or asleep raises no alert. If cron itself is dead, nothing here can
    notice, but a monitor elsewhere can: settings.ping_url in cue.yaml(5).
    """
    from cuectl.installation.watch import watch

    # A damaged one is something to report.
    if not os.path.isdir(call.runtime.home):
        raise NotFound(f"there is no state directory '{call.runtime.home}'")
    found, now = watch(call.runtime), call.runtime.now()
    for line in found.lines:
        call.out.stderr.write(f"cuectl: {visible(line)}\n")
    last = found.last_pass_at
    record = {"last_pass_at": None if last is None else to_text(last), "silent": found.silent}
    when = "never" if last is None else call.out.when(last, now)
    call.out.record(
        record | {"changed": found.changed}, [] if call.out.quiet else [f"last pass  {when}"]
    )
    return ExitStatus.NO if found.silent else None


def _lines(call: Call, found: list[Installed], health: SchedulerHealth, now: int) -> Iterator[Line]:
    for one in found:
        where = f"{one.scheduler}, {one.place}"
        where = "a line in the crontab" if one.place == "crontab" else where
        yield f"by         {where}{', written by hand' if one.by_hand else ''}"
        yield f"command    {shlex.join(one.words)}"
        yield f"PATH       {one.path}"
        watched = (
            "every 15 minutes" if one.is_watched else "no; see: cuectl scheduler install --watch"
        )
        yield f"watched    {watched}"
        if not one.is_current:
            yield [("note: ", "yellow"), "it is not what 'cuectl scheduler install' writes now"]
        for message, hint in one.faults:
            yield [("problem: ", "red"), message]
            yield f"  {hint}"
    if not found:
        yield "by         nothing known; see: cuectl scheduler install"
    last = health.last_pass_at
    yield f"last pass  {'never' if last is None else call.out.when(last, now)}"
