"""`cuectl apply`: make the cues match a cue.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.apply import Applied


def run(call: Call, *, file: str | None, dry_run: bool, remove: bool) -> int | None:
    """Take the file over, and say what that changed."""
    from cuectl.cli.definition_plan import plan_lines, plan_record
    from cuectl.engine.apply import apply_file, forget_file, preview
    from cuectl.model.errors import UsageError

    path = file or "cue.yaml"
    if dry_run and remove:
        raise UsageError("'--dry-run' and '--remove' exclude each other")
    if dry_run:
        found = preview(call.runtime, path)
        call.out.record(plan_record(found), plan_lines(found))
        return None
    done = forget_file(call.runtime, path) if remove else apply_file(call.runtime, path)
    for one in done.warnings:
        call.out.warn(f"{one.path}:{one.line}:{one.column}: {one.message}", hint=one.hint)
    if call.out.for_people:
        _say(call, path, done, removed=remove)
    else:
        call.out.record(plan_record(done))
    return None


def _say(call: Call, path: str, done: Applied, *, removed: bool) -> None:
    verb = "took out of force" if removed else "applied"
    plan = done.plan
    counts: list[Any] = [
        f"{len(changes)} {word}"
        for changes, word in (
            (plan.added, "added"),
            (plan.changed, "changed"),
            (plan.removed, "removed"),
        )
        if changes
    ]
    if by_hand := done.reset_by_hand():
        counts.append(f"{len(by_hand)} set back")
    call.out.say(f"{verb} '{path}': {', '.join(counts) or 'nothing to change'}")


command = Command(
    name="apply",
    summary="Make the cues match a cue.yaml",
    description="""
        Takes a definition file over: its handlers and agents count from now on, and its cues
        are made, changed and deleted so that they match it, all in one change. The file is
        kept with its hash. A file that changes afterwards is obeyed only when it is applied
        again, so that pulling a branch can't schedule code.

        ~/.cue/cue.yaml needs no apply: every pass reads it.
    """,
    arguments=(
        Argument(
            name="FILE",
            help="Definition file; cue.yaml when it is left out",
            required=False,
            complete="file",
        ),
    ),
    options=(
        Option(name="--dry-run", help="Show what would change"),
        Option(name="--remove", help="Take the file out of force, and delete its cues"),
    ),
    see_also=("cuectl-diff(1)", "cuectl-validate(1)", "cue.yaml(5)"),
    run=run,
)
