"""Whether anything calls `run-due`, and with the right program."""

from __future__ import annotations

import os

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.model.instants import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.checks.patient import Patient
    from cuectl.engine.schedulers.scheduler import Installed
    from cuectl.model.finding import Finding

_AGAIN = "install it again: cuectl scheduler install"
_RUNNING = {
    "crontab": "is cron running? systemctl status cron; its log: journalctl -t CRON",
    "systemd-timer": "look at: systemctl --user list-timers; cuectl scheduler status",
    "launchd": "look at: launchctl list; cuectl scheduler status",
}


def scheduler(patient: Patient) -> Iterator[Finding]:
    """Answer what is set up to call `run-due`."""
    for one in patient.installed:
        yield from _of(one)
    if patient.installed:
        return
    if patient.health.is_late(patient.runtime.now()):
        message = f"nothing is set up to call 'cuectl run-due' for '{patient.home}'"
        yield problem("scheduler_missing", message, "let cron do it: cuectl scheduler install")
    else:
        yield ok("scheduler", "passes are made, by a worker or something that is not known here")


def _of(one: Installed) -> Iterator[Finding]:
    missing = [w for w in one.words if w.startswith("/") and not os.path.exists(w)]
    for path in missing:
        message = f"{one.scheduler} calls '{path}', which is not there"
        yield problem("scheduler_program", message, _AGAIN)
    for message, hint in one.faults:
        yield problem("scheduler_fault", message, hint)
    if not one.is_current and not missing:
        message = f"{one.scheduler} calls with another program or PATH than 'install' writes now"
        yield warning("scheduler_old", message, _AGAIN)
    if not missing and not one.faults and one.is_current:
        by_hand = ", in a line that somebody wrote" if one.by_hand else ""
        yield ok("scheduler", f"{one.scheduler} calls 'cuectl run-due' each minute{by_hand}")


def last_pass(patient: Patient) -> Iterator[Finding]:
    """Answer when somebody called it last."""
    if not patient.is_usable:
        return
    health, now = patient.health, patient.runtime.now()
    hint = next((_RUNNING[one.scheduler] for one in patient.installed), "cuectl scheduler install")
    if health.last_pass_at is None:
        yield problem("pass_never", "nothing has ever called 'cuectl run-due' here", hint)
    elif health.is_late(now):
        message = f"nothing has called 'cuectl run-due' since {to_text(health.last_pass_at)}"
        yield problem("pass_late", message, hint)
    else:
        yield ok("last_pass", f"the last pass was {(health.age_ms(now) or 0) // 1000} s ago")
