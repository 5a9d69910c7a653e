"""What is asked of a store after a fault has struck a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.executions.rules.record import FINAL

from . import store_rules as rules
from .leftovers import await_quiet

if TYPE_CHECKING:
    from .attacks import Attack, Ready
    from .power import PowerState
    from .runs import Result
    from .scene import Record, Scene

AGAIN_AT = "02:01:30"
DUE = frozenset({"daily", "chains", "reports", "flaky", "note"})


def after_command(scene: Scene, attack: Attack, ready: Ready, *, acknowledged: bool) -> list[str]:
    """What was acknowledged is there, nothing is half there, and all goes on.

    Args:
        scene: with the state as the fault left it.
        attack: what was done.
        ready: how it was done.
        acknowledged: whether somebody was told that it worked.
    """
    seen = rules.look(scene, damaged=attack.damaged)
    allowed = frozenset() if acknowledged else ready.broken
    problems = seen.problems + rules.newly_broken(scene, allowed)
    try:
        happened = attack.happened(seen)
    except (AssertionError, KeyError, ValueError) as error:
        return [*problems, f"half done: {error!r}"]
    if acknowledged and not happened:
        problems.append("acknowledged, and not there")
    if not (happened and attack.once):
        answer = scene.run(AGAIN_AT, *ready.words, **ready.env)
        if answer.status not in (attack.again if happened else (0,)):
            problems.append(f"given once more: {answer}")
    problems += rules.heal(scene) + rules.sound(scene)

    def may_be_lost(record: Record) -> bool:
        return record["cue_name"] in attack.lost

    problems += rules.ended(scene, attack.names, may_be_lost, forgets=attack.forgets)
    return problems if attack.last(scene) else [*problems, "it ends otherwise"]


def after_pass(scene: Scene, *, killed: bool = False, tree: bool = False) -> list[str]:
    """Everything that was due has run once, but for what nobody can know about.

    Args:
        scene: with the state as the fault left it.
        killed: the pass was killed; otherwise nothing may be lost.
        tree: its handlers were killed as well.
    """
    problems = [] if await_quiet(scene.root) else ["handlers do not end"]
    log = scene.spawn_log()
    unknown = {key for key, letters in log.items() if letters == "S"}
    unseen = {key for key, letters in log.items() if "X" not in letters}
    lost = unseen if tree else unknown if killed else set()
    if len(unknown) > 1:
        problems.append(f"more than one start of which nothing is known: {unknown}")
    problems += rules.look(scene).problems + rules.heal(scene) + rules.sound(scene)

    def may_be_lost(record: Record) -> bool:
        return f"{record['id']}.{record['attempt']}" in lost

    parents = scene.executions("chains")
    childless = any(may_be_lost(one) for one in parents)
    problems += rules.ended(scene, DUE if childless else DUE | {"child"}, may_be_lost)
    return problems + rules.interrupted_are_told(scene)


def after_failing_pass(scene: Scene, result: Result) -> list[str]:
    """Nothing is lost for an error, and a pass that could not do its work says so."""
    problems = [] if await_quiet(scene.root) else ["handlers do not end"]
    ran = rules.attempts(scene)
    problems += rules.look(scene).problems
    if result.status == 0:
        unsettled = [one["cue_name"] for one in scene.executions() if one["status"] not in FINAL]
        missing = DUE - {one["cue_name"] for one in scene.executions()}
        if unsettled or missing:
            problems.append(f"silent success: {unsettled} are open, {missing} are not there")
    problems += rules.heal(scene) + rules.sound(scene)

    def may_be_lost(record: Record) -> bool:
        # What could not be started has failed, and says why; what has run is never lost.
        never_ran = f"{record['id']} {record['attempt']}" not in ran
        return never_ran and record["status"] == "failed" and bool(record["reason"])

    childless = any(may_be_lost(one) for one in scene.executions("chains"))
    problems += rules.ended(scene, DUE if childless else DUE | {"child"}, may_be_lost)
    return problems


def after_power_cut(scene: Scene, state: PowerState, *, damaged: bool = False) -> list[str]:
    """Only what was claimed for good and was not over by then may be interrupted."""
    seen = rules.look(scene, damaged=damaged)
    open_then = {one["id"] for one in seen.executions if one["status"] not in FINAL}
    problems = seen.problems
    if any(run.status == 0 for run in state.finished) and open_then:
        problems.append(f"the pass was over, and {open_then} are open")
    problems += rules.heal(scene) + rules.sound(scene)

    def may_be_lost(record: Record) -> bool:
        return record["status"] == "interrupted" and record["id"] in open_then

    childless = any(may_be_lost(one) for one in scene.executions("chains"))
    problems += rules.ended(scene, DUE if childless else DUE | {"child"}, may_be_lost)
    return problems + rules.interrupted_are_told(scene, damaged=damaged)
