"""Pings in the group of what they are about, so that neither is lost without the other."""

from __future__ import annotations

from cuectl.store import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.execution import Execution
    from cuectl.model.ping import Ping
    from cuectl.store.lines import Views

MARKER = "p"


def ping_path(identity: str) -> str:
    """Return the view of a ping."""
    return f"pings/{identity}.json"


def ping_views(before: Ping | None, after: Ping | None) -> Views:
    """Return what a change of a ping sets; None before it is there and after it is gone."""
    views: Views = {}
    if before is not None:
        views[ping_path(before.id)] = None
        if before.delivery.next_at is not None:
            views[paths.marker(before.delivery.next_at, MARKER, before.id)] = None
    if after is not None:
        views[ping_path(after.id)] = after.to_record()
        if after.delivery.next_at is not None:
            views[paths.marker(after.delivery.next_at, MARKER, after.id)] = True
    return views


def at_claim(execution: Execution) -> Views:
    """Return the views of the ping that says that an attempt begins."""
    if execution.policy.ping_url is None:
        return {}
    from cuectl.model.ping import start_ping

    return ping_views(None, start_ping(execution))


def at_end(execution: Execution) -> Views:
    """Return the views of the ping that says how an execution ended."""
    if execution.policy.ping_url is None:
        return {}
    from cuectl.model.ping import end_ping

    return ping_views(None, end_ping(execution))
