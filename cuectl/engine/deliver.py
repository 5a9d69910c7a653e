"""What a pass does about alerts that wait for their delivery: print them, or start `deliver`.

A pass never talks to anybody itself: whoever is behind a command or a webhook may take his
time (reference/reliability.md, F54). `engine/delivery_round.py` is what the process does.
"""

from __future__ import annotations

from cuectl.engine import pings
from cuectl.engine.alert_changes import MARKER, STDERR, read_alert, stage_delivery
from cuectl.model.alert import Alert, Delivery, DeliveryStatus
from cuectl.model.values import dataclass
from cuectl.store import lock
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.runtime import Runtime
    from cuectl.store.agenda import Marker
    from cuectl.store.store import Transaction

LOCK_NAME = "deliver.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAlerts:
    """What is to be done about the alerts whose markers are due.

    Attributes:
        printed: to print with `alerts.stderr_line` once the change is committed.
        deliver: whether `start_delivery` has something to do.
        stale: markers behind which nothing stands.
    """

    printed: tuple[Alert, ...] = ()
    deliver: bool = False
    stale: tuple[Marker, ...] = ()


def deliveries_due(tx: Transaction, now: int, markers: Iterable[Marker]) -> DueAlerts:
    """Return what due markers of kind `a` ask for; stage what the pass prints as delivered.

    Args:
        tx: a change of the pass.
        now: the instant of the change.
        markers: those that are due, of any kind.
    """
    printed: list[Alert] = []
    stale: list[Marker] = []
    deliver = False
    for marker in markers:
        if marker.kind == pings.MARKER:
            deliver = True
        if marker.kind != MARKER:
            continue
        try:
            alert = read_alert(tx, marker.id)
        except BadView:
            # Whoever heals views deals with it; the marker stays for then.
            continue
        if alert is None or alert.next_at != marker.at:
            stale.append(marker)
            continue
        due = alert.due_sinks(now)
        if STDERR in due:
            printed.append(_print(tx, alert))
        deliver = deliver or due != [STDERR]
    return DueAlerts(printed=tuple(printed), deliver=deliver, stale=tuple(stale))


def _print(tx: Transaction, alert: Alert) -> Alert:
    tries = alert.delivered[STDERR].tries + 1
    done = Delivery(status=DeliveryStatus.DELIVERED, tries=tries)
    after = alert.with_delivery(STDERR, done)
    stage_delivery(tx, alert, after, STDERR)
    return after


def start_delivery(runtime: Runtime) -> bool:
    """Start `cuectl deliver` unless one runs; it goes its own way and leaves no child behind.

    Raises:
        OSError: no process could be made; the markers stay, so a later pass tries again.
    """
    if lock.is_held(f"{runtime.home}/{LOCK_NAME}"):
        return False
    from cuectl.engine.own_process import start_detached

    start_detached(runtime, ["deliver"])
    return True
