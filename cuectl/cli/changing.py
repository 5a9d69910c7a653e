"""Commands that change the cues named on the command line, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.model.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.cli.call import Call
    from cuectl.model.cue import Cue, CueState
    from cuectl.store.store import Transaction

T = TypeVar("T")


def found_cues(call: Call, names: tuple[str, ...]) -> list[tuple[Cue, CueState]]:
    """Return the cues that the names mean, each once.

    Raises:
        NotFound: one of them is not there.
    """
    from cuectl.cli.cue_reading import reader_of
    from cuectl.engine.cue_lookup import find_cue

    reader = reader_of(call)
    found = [find_cue(reader, name) for name in names]
    return list({cue.id: (cue, state) for cue, state in found}.values())


def changed_cues(
    call: Call,
    names: tuple[str, ...],
    change: Callable[[Transaction, Cue, CueState], T],
    *,
    gone: bool = False,
) -> list[tuple[Cue, T]]:
    """Change the cues in one commit and print their public forms under `--json`.

    Args:
        call: of the command.
        names: names, ids or starts of ids.
        change: stages the change of one cue.
        gone: the change deletes them, and what is printed is what they were.

    Raises:
        NotFound, Conflict: nothing was changed.
    """
    from cuectl.engine.cue_lookup import find_cue

    store = call.runtime.existing_store
    if store is None:
        raise NotFound(f"no cue named '{names[0]}'", hint="all names: cuectl list")
    with store.transaction(call.runtime.now()) as tx:
        found = {cue.id: (cue, state) for cue, state in (find_cue(tx, name) for name in names)}
        views: list[dict[str, Any]] = _public(call, list(found.values())) if gone else []
        done = [(cue, change(tx, cue, state)) for cue, state in found.values()]
        if not gone:
            views = _public(call, [find_cue(tx, cue_id) for cue_id in found])
    if not call.out.for_people:
        call.out.records(views, _columns())
    return done


def _public(call: Call, found: list[tuple[Cue, CueState]]) -> list[dict[str, Any]]:
    from cuectl.cli.cue_reading import public

    return [public(call, cue, state) for cue, state in found]


def _columns() -> tuple[Any, ...]:
    from cuectl.cli.tables import Column

    return tuple(Column(key=key) for key in ("id", "name", "status", "next_run"))
