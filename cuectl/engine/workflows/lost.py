"""Whether a pass has to look after workflows and queues: what every pass asks, so it is cheap."""

from __future__ import annotations

from cuectl.store import files


def may_have_work(home: str) -> bool:
    """Tell whether there is a run that is not over, or a task."""
    runs = files.list_directory(f"{home}/workflows")
    if any(name.startswith("live.") for name in runs):
        return True
    return any(name.startswith("task.") for name in files.list_directory(f"{home}/queues"))
