"""The commands that the sweeps attack: what each finds, what it should do, what follows from it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .scene import DAY, TINY, day_begins, directories, handlers, in_a_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .scene import Record, Scene
    from .store_rules import Seen

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A store that is ready for the attack.

    Attributes:
        words: the command line, ids filled in.
        env: variables that it needs besides those of every command.
        broken: what `fsck` finds already, by its subjects.
    """

    words: Words
    env: Mapping[str, str]
    broken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One command in one situation.

    Attributes:
        prepare: makes the situation.
        happened: whether everything that the command should do is there.
        names: the cues that have one execution each in the end.
        lost: names of cues whose execution was lost before the command came.
        again: exit statuses of the command when it is given once more after a fault.
        once: the command is not given again when it has happened: it would do more.
        last: whether the end is as it should be, after everything.
        damaged: views are damaged before.
        forgets: what has run long ago need not be known any more.
        clock: when the command begins.
    """

    prepare: Callable[[Scene], Ready]
    happened: Callable[[Seen], bool]
    names: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    again: tuple[int, ...] = (0,)
    once: bool = False
    last: Callable[[Scene], bool] = lambda _: True
    damaged: bool = False
    forgets: bool = False
    clock: str = "02:01:00"


def _words(*words: str, **env: str) -> Ready:
    return Ready(words=words, env=env)


def _has_cue(name: str) -> Callable[[Seen], bool]:
    return lambda seen: name in seen.cues


def _one(seen: Seen, name: str) -> Record:
    (record,) = (one for one in seen.executions if one["cue_name"] == name)
    return record


def _id_of(scene: Scene, name: str) -> str:
    return str(scene.one(name)["id"])


# --- creating -------------------------------------------------------------------------------


def _create_first(scene: Scene) -> Ready:
    directories(scene)
    return _words("create", "--name", "new", "--shell", "true", "--cron", "0 9 * * *")


def _create_cron(scene: Scene) -> Ready:
    handlers(scene)
    return _words("create", "--name", "new", "--task", "note", "--cron", "2 2 * * *")


def _create_at(scene: Scene) -> Ready:
    handlers(scene)
    return _words("create", "--name", "new", "--task", "note", "--at", f"{DAY}T02:01:45Z")


def _create_large(scene: Scene) -> Ready:
    handlers(scene)
    payload = {"task": "note", "text": "x" * 70_000}
    (scene.root / "work" / "payload.json").write_text(json.dumps(payload))
    file = ("--payload-file", "payload.json")
    return _words("create", "--name", "new", *file, "--at", f"{DAY}T02:01:45Z")


# --- inside a handler -----------------------------------------------------------------------


def _chain(scene: Scene) -> Ready:
    env = in_a_handler(scene)
    return _words("chain", "--name", "child", "--task", "note", "--key", "next", **env)


def _chain_held(scene: Scene) -> Ready:
    env = in_a_handler(scene)
    return _words("chain", "--name", "child", "--task", "note", "--when", "always", **env)


def _report(scene: Scene) -> Ready:
    env = in_a_handler(scene)
    return _words("report", "--success", "--external-id", "shown", **env)


def _reported(seen: Seen) -> bool:
    record = _one(seen, "parent")
    return (record.get("reported") or {}).get("external_id") == "shown"


def _is_shown(name: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.one(name).get("external_id") == "shown"


def _report_late(scene: Scene) -> Ready:
    handlers(scene)
    when = ("--in", "1m", "--outcome-deadline", "1h")
    scene.must("01:59:00", "create", "--name", "late", "--task", "silent", *when)
    scene.must("02:00:30", "run-due")
    identity = _id_of(scene, "late")
    return _words("report", "--execution", identity, "--success", "--external-id", "shown")


# --- on executions --------------------------------------------------------------------------


def _cancel_waiting(scene: Scene) -> Ready:
    handlers(scene)
    retries = ("--retries", "1", "--backoff", "1h")
    scene.must("01:59:00", "create", "--name", "flaky", "--task", "flaky", "--in", "1m", *retries)
    scene.must("02:00:30", "run-due")
    return _words("cancel", _id_of(scene, "flaky"))


def _cancel_open(scene: Scene) -> Ready:
    in_a_handler(scene)
    return _words("cancel", _id_of(scene, "parent"))


def _is(name: str, status: str) -> Callable[[Seen], bool]:
    return lambda seen: _one(seen, name)["status"] == status


def _cancel_requested(seen: Seen) -> bool:
    return bool(_one(seen, "parent").get("cancel"))


def _verify(scene: Scene) -> Ready:
    handlers(scene)
    manual = ("--verification-mode", "manual", "--in", "1m")
    scene.must("01:59:00", "create", "--name", "judged", "--task", "note", *manual)
    scene.must("02:00:30", "run-due")
    return _words("verify", _id_of(scene, "judged"), "--reason", "looked at it")


def _fire(scene: Scene) -> Ready:
    handlers(scene)
    return _words("fire", "bystander")


def _retry(scene: Scene) -> Ready:
    handlers(scene)
    scene.must("01:59:00", "create", "--name", "flaky", "--task", "flaky", "--in", "1m")
    scene.must("02:00:30", "run-due")
    return _words("retry", _id_of(scene, "flaky"))


# --- on cues --------------------------------------------------------------------------------


def _with_bystander(*words: str) -> Callable[[Scene], Ready]:
    def prepare(scene: Scene) -> Ready:
        handlers(scene)
        return _words(*words)

    return prepare


def _bystander_has(name: str, value: object) -> Callable[[Seen], bool]:
    def happened(seen: Seen) -> bool:
        found: Any = seen.cues["bystander"]
        for part in name.split("."):
            found = found[part]
        return bool(found == value)

    return happened


_BEFORE = """
cues:
  kept: {cron: "0 9 * * *", task: note}
  gone: {cron: "0 9 * * *", task: note}
"""
_AFTER = """
cues:
  kept: {cron: "2 2 * * *", task: note}
  new: {cron: "2 2 * * *", task: note}
"""


def _apply(scene: Scene) -> Ready:
    handlers(scene)
    path = scene.root / "work" / "cue.yaml"
    path.write_text(_BEFORE)
    scene.must("01:59:00", "apply", "cue.yaml")
    path.write_text(_AFTER)
    return _words("apply", "cue.yaml")


def _applied(seen: Seen) -> bool:
    there = "new" in seen.cues and "gone" not in seen.cues
    changed = seen.cues["kept"]["trigger"]["expression"] == "2 2 * * *"
    # A third state is neither before nor after.
    assert there == changed
    assert ("new" in seen.cues) != ("gone" in seen.cues)
    return there


# --- care -----------------------------------------------------------------------------------


def _rebuilding(scene: Scene, *words: str, also: tuple[str, ...] = ()) -> Ready:
    """Break two views, and rebuild; `also` is broken already."""
    (lost, torn, *_) = sorted((scene.home / "cues").glob("*.s.json"))
    lost.unlink()
    torn.write_text('{"status": "act')
    broken = {*also, f"cues/{lost.name}", f"cues/{torn.name}"}
    return Ready(words=("fsck", "--rebuild", *words), env={}, broken=frozenset(broken))


def _rebuild(scene: Scene) -> Ready:
    day_begins(scene)
    extra = "cues/cue_000000000000.json"
    (scene.home / extra).write_text("{}")
    return _rebuilding(scene, also=(extra,))


def _checkpointed(scene: Scene) -> None:
    """Make a store whose views are known to be on the disk, so that no line is read again."""
    handlers(scene)
    once = ("--at", f"{DAY}T02:00:00Z")
    for name in ("daily", "note"):
        scene.must("01:59:00", "create", "--name", name, "--task", "note", *once)
    scene.must("01:59:30", "run-due", CUECTL_TEST_LIMITS=TINY)
    assert (scene.home / "journal" / "checkpoint").exists()


def _rebuild_after_checkpoint(scene: Scene) -> Ready:
    _checkpointed(scene)
    return _rebuilding(scene)


def _rebuild_after_gc(scene: Scene) -> Ready:
    scene.must("02:00:45", *_gc(scene).words)
    return _rebuilding(scene)


def _rebuild_with_loss(scene: Scene) -> Ready:
    """Damage the first line, which nobody reads any more."""
    _checkpointed(scene)
    first = min((scene.home / "journal").glob("0*.jsonl"))
    first.write_bytes(first.read_bytes().replace(b'"seq":1,', b'"seq":7,', 1))
    return _rebuilding(scene, "--accept-loss", also=("journal", f"journal/{first.name}"))


def _import(scene: Scene) -> Ready:
    """Make a file of a store that is due, and have no store."""
    day_begins(scene)
    scene.must("01:59:30", "export", "all.cue")
    shutil.rmtree(scene.home)
    return _words("import", "all.cue")


def _gc(scene: Scene) -> Ready:
    """Make a journal of several segments, some of which are old enough to go."""
    handlers(scene)
    small = {"CUECTL_TEST_LIMITS": "segment_bytes=1500"}
    for minute in range(10, 22):
        clock = f"00:{minute}:00"
        scene.must(clock, "create", "--name", f"old{minute}", "--task", "note", "--in", "1s")
        scene.must(f"00:{minute}:30", "run-due", **small)
    scene.must("01:59:00", "create", "--name", "new", "--task", "note", "--in", "1m")
    return _words("gc", "--journal", "102m", "--output", "102m")


def _packed(seen: Seen) -> bool:
    return any(name.startswith("base-") for name in seen.segments)


ATTACKS: dict[str, Attack] = {
    "create-first": Attack(prepare=_create_first, happened=_has_cue("new"), again=(0, 6)),
    "create-cron": Attack(
        prepare=_create_cron, happened=_has_cue("new"), again=(0, 6), names=("new",)
    ),
    "create-at": Attack(prepare=_create_at, happened=_has_cue("new"), again=(0, 6), names=("new",)),
    "create-large": Attack(
        prepare=_create_large, happened=_has_cue("new"), again=(0, 6), names=("new",)
    ),
    "chain": Attack(
        prepare=_chain, happened=_has_cue("child"), names=("parent", "child"), lost=("parent",)
    ),
    "chain-held": Attack(
        prepare=_chain_held, happened=_has_cue("child"), names=("parent", "child"), lost=("parent",)
    ),
    "report": Attack(
        prepare=_report, happened=_reported, names=("parent",), last=_is_shown("parent")
    ),
    "report-late": Attack(
        prepare=_report_late,
        happened=_is("late", "succeeded"),
        once=True,
        names=("late",),
        last=_is_shown("late"),
    ),
    "cancel-waiting": Attack(
        prepare=_cancel_waiting,
        happened=_is("flaky", "cancelled"),
        again=(0, 6),
        names=("flaky",),
        lost=("flaky",),
        last=lambda scene: scene.one("flaky")["status"] == "cancelled",
    ),
    "cancel-open": Attack(
        prepare=_cancel_open,
        happened=_cancel_requested,
        names=("parent",),
        lost=("parent",),
        last=lambda scene: scene.one("parent")["status"] == "cancelled",
    ),
    "verify": Attack(
        prepare=_verify,
        happened=lambda seen: _one(seen, "judged").get("outcome_state") == "verified_success",
        names=("judged",),
    ),
    "fire": Attack(
        prepare=_fire,
        happened=lambda seen: len(seen.executions) == 1,
        once=True,
        names=("bystander",),
    ),
    "retry": Attack(
        prepare=_retry,
        happened=lambda seen: len(seen.executions) == 2,
        once=True,
        lost=("flaky",),
        last=lambda scene: len(scene.executions("flaky")) == 2,
    ),
    "update": Attack(
        prepare=_with_bystander("update", "bystander", "--cron", "2 2 * * *"),
        happened=_bystander_has("trigger.expression", "2 2 * * *"),
        names=("bystander",),
    ),
    "pause": Attack(
        prepare=_with_bystander("pause", "bystander"), happened=_bystander_has("status", "paused")
    ),
    "delete": Attack(
        prepare=_with_bystander("delete", "--yes", "bystander"),
        happened=lambda seen: "bystander" not in seen.cues,
        again=(0, 5),
    ),
    "apply": Attack(prepare=_apply, happened=_applied, names=("kept", "new")),
    "rebuild": Attack(
        prepare=_rebuild,
        happened=lambda seen: "daily" in seen.cues,
        damaged=True,
        names=("daily", "chains", "reports", "flaky", "note", "child"),
    ),
    "rebuild-after-checkpoint": Attack(
        prepare=_rebuild_after_checkpoint,
        happened=lambda seen: seen.cues.keys() >= {"daily", "note"},
        damaged=True,
        names=("daily", "note"),
    ),
    "rebuild-after-gc": Attack(
        prepare=_rebuild_after_gc,
        happened=_has_cue("new"),
        damaged=True,
        names=("new", "old20", "old21"),
        forgets=True,
    ),
    "rebuild-with-loss": Attack(
        prepare=_rebuild_with_loss,
        happened=lambda seen: seen.cues.keys() >= {"daily", "note"},
        damaged=True,
        names=("daily", "note"),
    ),
    "import": Attack(
        prepare=_import,
        happened=_has_cue("daily"),
        again=(6,),
        names=("daily", "chains", "reports", "flaky", "note", "child"),
    ),
    "gc": Attack(prepare=_gc, happened=_packed, names=("new", "old20", "old21"), forgets=True),
}
