"""The clock and the data of the time zones."""

from __future__ import annotations

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.model.instants import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding

_EARLIEST = "2026-01-01T00:00:00Z"
_AHEAD_MS = 60_000


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
    import zoneinfo

    wanted = {patient.runtime.zone: "this machine"}
    if patient.in_force.settings.timezone:
        wanted[patient.in_force.settings.timezone] = "the settings"
    for cue in patient.cues:
        if cue.trigger.get("timezone"):
            wanted.setdefault(cue.trigger["timezone"], f"cue '{cue.name}'")
    broken = 0
    for name, user in sorted(wanted.items()):
        try:
            zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            broken += 1
            message = f"there is no data for the time zone '{name}' of {user}"
            yield problem("zone_missing", message, "install the package tzdata")
    if not broken:
        yield ok("zones", f"the data of all {len(wanted)} time zones is there")
