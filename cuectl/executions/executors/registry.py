"""The executors that there are, beside this machine: the type in `cue.yaml` and its module.

Each module has `connect`, which returns a `RemoteExecutor` (`remote.py`). It is loaded where it is
used, because what it needs is an optional package.
"""

from __future__ import annotations

from cuectl.definitions.rules.templates import environment_value
from cuectl.executions.executors.remote import OutOfReach
from cuectl.executions.rules.placement import TYPES
from cuectl.values.errors import CuectlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.rules.definitions import ExecutorDefinition
    from cuectl.executions.executors.remote import RemoteExecutor


def connect(
    definition: ExecutorDefinition, lookup: Callable[[str], str | None], limit_s: float
) -> RemoteExecutor:
    """Return an executor that has answered. Raises OutOfReach: not, or a value is unset."""
    from importlib import import_module

    try:
        url, broker, key = (
            environment_value(text, {}, lookup)
            for text in (definition.url, definition.broker or "", definition.key)
        )
    except CuectlError as error:
        raise OutOfReach(error.message) from error
    found: RemoteExecutor
    module = import_module(TYPES[definition.type])
    found = module.connect(definition, url=url, broker=broker or None, key=key, limit_s=limit_s)
    return found
