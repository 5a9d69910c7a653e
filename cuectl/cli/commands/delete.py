"""`cuectl delete`: delete cues; their executions stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.cli.tables import Column


def run(call: Call, *, name: tuple[str, ...], yes: bool, dry_run: bool) -> int | None:
    """Delete the cues, all in one change, after asking."""
    from cuectl.cli.asking import confirm
    from cuectl.cli.changing import changed_cues, found_cues
    from cuectl.cli.cue_reading import public
    from cuectl.engine.cue_changes import stage_delete

    found = found_cues(call, name)
    if dry_run:
        call.out.records([public(call, *one) for one in found], _columns())
        return None
    names = ", ".join(f"'{cue.name}'" for cue, _ in found)
    confirm(call, f"delete {names}?", yes=yes)
    ids = tuple(cue.id for cue, _ in found)
    random = call.runtime.random
    for cue, going_on in changed_cues(
        call, ids, lambda tx, cue, state: stage_delete(tx, cue, state, random), gone=True
    ):
        call.out.say(f"deleted '{cue.name}'; its history stays")
        if going_on:
            word = "executions go" if going_on > 1 else "execution goes"
            call.out.say(f"{going_on} {word} on: cuectl cancel ends them")
    return None


def _columns() -> tuple[Column, ...]:
    from cuectl.cli.tables import Column

    return (Column(key="name", title="WOULD DELETE"), Column(key="status"), Column(key="id"))


command = Command(
    name="delete",
    summary="Delete a cue; its executions stay",
    description="""
        Deletes cues; their executions, with evidence, output and log, stay until they are too
        old (cuectl gc). What has been started goes on to its end; what has not is recorded as
        skipped. Asks first on a terminal, and needs --yes where nobody can be asked.
    """,
    arguments=(
        Argument(
            name="NAME", help="Names, ids, or starts of ids of cues", many=True, complete="cue"
        ),
    ),
    options=(
        Option(name="--yes", short="-y", help="Do not ask"),
        Option(name="--dry-run", help="Show what would be deleted"),
    ),
    see_also=("cuectl-pause(1)", "cuectl-cancel(1)"),
    run=run,
)
