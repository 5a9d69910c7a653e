"""The mask for declared secrets, for commands that keep text and need no other definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.known_definitions import config_records, own_file_is_new

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.masking import Masker


def secret_mask(source: ViewSource, runtime: Runtime) -> Masker | None:
    """Return what hides the declared secrets, None when none of them has a value here.

    Raises:
        StateError: a view is damaged.
    """
    names = _declared(source, runtime.home)
    if not names:
        return None
    from cuectl.model.masking import Masker
    from cuectl.store.env_file import read_env_file

    beside = read_env_file(runtime.home)
    values = {name: runtime.environment.get(name, beside.get(name)) for name in names}
    known = {name: value for name, value in values.items() if value}
    return Masker(known) if known else None


def _declared(source: ViewSource, home: str) -> set[str]:
    records = config_records(source)
    if own_file_is_new(records, home):
        from cuectl.engine.definitions_in_force import definitions_now

        return set(definitions_now(source, home).secrets)
    return {name for one in records for name in one["definitions"].get("secrets", ())}
