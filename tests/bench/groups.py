"""The groups of the table, in the order in which they disturb each other least."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.commands import measure_commands
from tests.bench.due import measure_due
from tests.bench.history import measure_history
from tests.bench.idle import measure_idle
from tests.bench.looks import measure_looks
from tests.bench.matching import measure_matching
from tests.bench.peers import measure_peers
from tests.bench.sources import measure_sources
from tests.bench.tasks import measure_tasks
from tests.bench.workflows import measure_workflows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene
    from tests.bench.table import Line

GROUPS: dict[str, Callable[[Scene], list[Line]]] = {
    "commands": measure_commands,
    "tasks": measure_tasks,
    "peers": measure_peers,
    "idle": measure_idle,
    "due": measure_due,
    "looks": measure_looks,
    "sources": measure_sources,
    "history": measure_history,
    "matching": measure_matching,
    "workflows": measure_workflows,
}
