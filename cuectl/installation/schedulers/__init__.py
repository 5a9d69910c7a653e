"""Which schedulers there are, which one is taken, and which one calls us."""

from __future__ import annotations

from cuectl.installation.schedulers.crontab import Crontab
from cuectl.installation.schedulers.user_services import Launchd, SystemdTimer
from cuectl.values.errors import CuectlError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.installation.schedulers.scheduler import Installed, Site

# Each answers: `unavailable`, why it can't be used here; `installed`, what calls `run-due` for the
# state directory; `installation` and `removal`, the steps that are left to do, none when all is
# done. They raise CuectlError where that can't be told, or a text that is not ours is in the way.
Scheduler = Launchd | Crontab | SystemdTimer
# cron before a timer of the user, which ends when its user logs out (unless he lingers).
_CLASSES: tuple[type[Scheduler], ...] = (Launchd, Crontab, SystemdTimer)
AUTO = "auto"


def schedulers(site: Site) -> list[Scheduler]:
    """Return all schedulers, the ones to be preferred first."""
    return [one(site) for one in _CLASSES]


def choose(site: Site, name: str) -> Scheduler:
    """Return the scheduler of that name, for `auto` the first usable one; Refused without one."""
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
