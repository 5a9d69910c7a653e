"""Which schedulers there are, which one is taken, and which one calls us."""

from __future__ import annotations

from cuectl.engine.schedulers.crontab import Crontab
from cuectl.engine.schedulers.launchd import Launchd
from cuectl.engine.schedulers.systemd import SystemdTimer
from cuectl.model.errors import CuectlError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.schedulers.scheduler import Installed, Scheduler, Site

# cron before a timer of the user, which ends when its user logs out (unless he lingers).
_CLASSES: tuple[type[Launchd | Crontab | SystemdTimer], ...] = (Launchd, Crontab, SystemdTimer)
AUTO = "auto"


def schedulers(site: Site) -> list[Scheduler]:
    """Return all schedulers, the ones to be preferred first."""
    return [one(site) for one in _CLASSES]


def choose(site: Site, name: str) -> Scheduler:
    """Return the scheduler of that name; for `auto` the first that can be used here.

    Raises:
        Refused: it can't be used here, or none can.
    """
    reasons = []
    for one in schedulers(site):
        if name not in (AUTO, one.name):
            continue
        why = one.unavailable()
        if why is None:
            return one
        reasons.append(f"{one.name}: {why}")
    hint = "install cron, or keep 'cuectl worker' running"
    raise Refused("no scheduler can be used here: " + "; ".join(reasons), hint=hint)


def find_installed(site: Site) -> list[Installed]:
    """Return everything that calls `run-due` for this state directory, as far as can be told."""
    found = []
    for one in schedulers(site):
        try:
            installed = one.installed()
        except CuectlError:
            # What can't be asked can't be set up either.
            continue
        if installed is not None:
            found.append(installed)
    return found
