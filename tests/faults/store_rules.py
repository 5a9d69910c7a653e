"""The rules that the real store is held to after a fault; each returns what is wrong."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.executions.rules.record import FINAL
from cuectl.store import idle
from cuectl.store.journal.check import ERROR
from cuectl.store.repair import fsck
from cuectl.store.store import Store
from cuectl.values.errors import CuectlError
from tests.implied import implied_views

from .leftovers import await_quiet
from .scene import effect_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from .runs import Result
    from .scene import Record, Scene
    from .warm import Answer

PASSES = ("02:02:00", "02:03:00", "02:04:00")


@dataclass(slots=True, kw_only=True)
class Seen:
    """What can be seen of a store that nobody has healed yet.

    Attributes:
        problems: of those who looked.
        cues: name to record, as `list` shows it.
        executions: their newest records.
        segments: names of files under `journal/`.
    """

    problems: list[str] = field(default_factory=list)
    cues: dict[str, Record] = field(default_factory=dict)
    executions: list[Record] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)


def plain(answer: Answer) -> list[str]:
    """An answer is none of a program that has lost its head."""
    problems = []
    if "Traceback" in answer.stderr or answer.status not in range(126):
        problems.append(f"not a plain end: {answer}")
    if "a mistake in cuectl" in answer.stderr or "unexpected " in answer.stderr:
        problems.append(f"a bug: {answer}")
    return problems


def told_plainly(result: Result) -> list[str]:
    """A command that failed says so in one line, with a hint at most; it is never lost for words.

    What a pass says besides, of handlers and alerts, begins with the program's name as well.
    """
    lines = [line for line in result.stderr.splitlines() if line]
    # Commands of workflows say which run it is, what will be done again, and what `ask` asks.
    told = ("cuectl: ", "hint: ", "run run_", "again: ", "then what follows: ", "[ask] ")
    odd = [line for line in lines if not line.startswith(told)]
    errors = [line for line in lines if line.startswith("cuectl: error: ")]
    problems = [f"not a plain line: {odd}"] if odd else []
    if result.status not in range(126):
        problems.append(f"exit status {result.status}")
    if any("a mistake in cuectl" in line or "error: unexpected " in line for line in lines):
        problems.append(f"a bug: {lines}")
    stderr_fails = result.hit is not None and result.hit.path == "stderr"
    if (result.status != 0) != (len(errors) == 1) and not stderr_fails:
        problems.append(f"exit status {result.status} with the lines {lines}")
    return problems


def attempts(scene: Scene) -> set[str]:
    """Return what ran: `<key> <attempt>`."""
    return set(effect_counts(scene.effects()))


def look(scene: Scene, clock: str = "02:01:30", *, damaged: bool = False) -> Seen:
    """A store is readable before anybody heals it: by who may write it, and who may not.

    Both look at a copy. They must agree: the second one sees by the journal what the first one
    has healed.

    Args:
        scene: with the state as the fault left it.
        clock: when they look.
        damaged: views were damaged before, which they may say.
    """
    seen = Seen()
    found: list[list[Record]] = []
    for read_only in (False, True):
        with tempfile.TemporaryDirectory(prefix="copy-") as directory:
            copy = Path(directory) / "cue"
            if scene.home.exists():
                shutil.copytree(scene.home, copy, symlinks=True)
            if read_only and copy.exists():
                take_write_bits(copy)
            env = scene.at(clock) | {"CUECTL_HOME": str(copy)}
            answer = scene.warm.run(
                "list", "--json", env=env, cwd=scene.root / "work", ordinary=read_only
            )
            if read_only and copy.exists():
                copy.chmod(0o700)
                for path in copy.rglob("*"):
                    path.chmod(0o700)
        who = "a reader without rights" if read_only else "a reader"
        seen.problems += [f"{who}: {one}" for one in plain(answer)]
        if answer.status != 0 or (answer.stderr and not (read_only or damaged)):
            seen.problems.append(f"{who}: {answer}")
        else:
            # What is late is due now, and each of them has a clock of its own.
            shown = json.loads(re.sub(r"\.\d{3}Z", "Z", answer.stdout))
            found.append(shown)
    if len(found) == 2 and found[0] != found[1]:
        seen.problems.append(f"readers do not agree: {_unlike(*found)}")
    if found:
        seen.cues = {one["name"]: one for one in found[0]}
        if len(seen.cues) != len(found[0]):
            seen.problems.append(f"two cues have one name: {found[0]}")
    seen.executions = scene.executions()
    seen.segments = sorted(path.name for path in (scene.home / "journal").glob("*"))
    seen.problems += honestly_idle(scene)
    return seen


def _unlike(one: list[Record], other: list[Record]) -> str:
    return "; ".join(
        f"{mine['name']}: {name} {mine[name]!r} against {its.get(name)!r}"
        for mine, its in zip(one, other, strict=False)
        for name in mine
        if mine[name] != its.get(name)
    )


def honestly_idle(scene: Scene) -> list[str]:
    """The line that lets passes go at once is there only when there is nothing to do."""
    path = scene.home / "next"
    words = path.read_text().split(" ") if path.exists() else []
    # A line that a power cut tore is none, as for the program.
    if len(words) != 9 or words[4] != idle.identity(str(scene.home / "journal" / words[3])):
        return []
    views = implied_views(str(scene.home))
    until = int(words[2])
    times = [int(view.split("/")[3].split(".")[0]) for view in views if view.startswith("due/")]
    early = [at for at in times if at < until]
    busy = [view for view in views if view.startswith("open/")]
    return [f"'next' is not honest: {early}, {busy}"] if early or busy else []


def take_write_bits(directory: Path) -> None:
    """Take the right to write away from a tree."""
    for path in [directory, *directory.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o500 if path.is_dir() else 0o400)


def heal(scene: Scene, passes: Sequence[str] = PASSES, **env: str) -> list[str]:
    """Passes work again, and bring what is open to an end."""
    problems = []
    for clock in passes:
        answer = scene.run(clock, "run-due", **env)
        problems += plain(answer)
        if answer.status != 0:
            problems.append(f"a pass fails afterwards: {answer}")
        if not await_quiet(scene.root):
            problems.append("handlers do not end")
    return problems


def sound(scene: Scene) -> list[str]:
    """The views are what the journal implies, and the journal is whole."""
    return _unsound(str(scene.home))


def newly_broken(scene: Scene, allowed: Collection[str]) -> list[str]:
    """Nobody has to mend what was whole before: a copy is sound as it is, but for `allowed`."""
    if not (scene.home / "FORMAT").exists():
        return []
    with tempfile.TemporaryDirectory(prefix="copy-") as directory:
        copy = shutil.copytree(scene.home, Path(directory) / "cue", symlinks=True)
        return _unsound(str(copy), allowed)


def _unsound(home: str, allowed: Collection[str] = ()) -> list[str]:
    store = Store(home)
    try:
        findings = fsck.check(store).findings
    except (OSError, CuectlError) as error:
        return [f"fsck: {error!r}"]
    finally:
        store.journal.close()
    return [f"fsck: {one}" for one in findings if one.level == ERROR and one.subject not in allowed]


def ended(
    scene: Scene,
    names: Collection[str],
    may_be_lost: Callable[[Record], bool],
    *,
    forgets: bool = False,
) -> list[str]:
    """Each cue has run once and succeeded, but for what may be lost.

    Args:
        scene: after passes.
        names: of the cues that must have one execution each.
        may_be_lost: whether an execution may be interrupted, or have failed with what it lost.
        forgets: what has run need not be known any more.
    """
    counts = effect_counts(scene.effects())
    problems = [f"'{key}' ran {count} times" for key, count in counts.items() if count > 1]
    records = scene.executions()
    known = {record["id"] for record in records}
    strangers = [key for key in counts if key.split()[0] not in known]
    problems += [] if forgets else [f"'{key}' ran and is not known" for key in strangers]
    problems += [f"'{one}' ended twice" for one in _settled_twice(scene)]
    for name in names:
        mine = [record for record in records if record["cue_name"] == name]
        if len(mine) != 1:
            problems.append(f"'{name}' has {len(mine)} executions")
    for record in records:
        problems += _well_ended(record, counts, may_be_lost)
    return problems + _promised(scene, records)


def _settled_twice(scene: Scene) -> list[str]:
    ends = [line["execution"] for line in scene.lines() if line["type"] == "execution.settled"]
    return sorted({one for one in ends if ends.count(one) > 1})


def _well_ended(
    record: Record, counts: dict[str, int], may_be_lost: Callable[[Record], bool]
) -> list[str]:
    name, status = record["cue_name"], record["status"]
    told = {key: record.get(key) for key in ("id", "status", "reason", "error", "attempt")}
    if status not in FINAL:
        return [f"'{name}' is not over: {told}"]
    if status != "succeeded":
        return [] if may_be_lost(record) else [f"'{name}' is lost: {told}"]
    # One that could not be started is on record as an attempt that failed, and never began.
    never_began = {one["attempt"] for one in record.get("attempts", ()) if "started_at" not in one}
    attempts = set(range(1, record["attempt"] + 1)) - never_began
    missing = [one for one in sorted(attempts) if f"{record['id']} {one}" not in counts]
    return [f"'{name}' succeeded and never ran {missing}: {told}"] if missing else []


def _promised(scene: Scene, records: Sequence[Record]) -> list[str]:
    """What handlers were told is done, is."""
    problems = []
    by_id = {record["id"]: record for record in records}
    for words in scene.effects():
        record = by_id.get(words[1], {})
        if words[0] == "reported" and record.get("external_id") != "shown":
            problems.append(f"a report was acknowledged and is lost: {record}")
        children = [one for one in records if one.get("parent_id") == words[1]]
        if words[0] == "chained" and len(children) != 1:
            problems.append(f"a child was acknowledged, and there are {len(children)}")
    return problems


def interrupted_are_told(scene: Scene, *, damaged: bool = False) -> list[str]:
    """There is an alert for each execution that lost its process, and no other but of damage."""
    lost = [one for one in scene.executions() if one["status"] == "interrupted"]
    raised = [line for line in scene.lines() if line["type"] == "alert.raised"]
    types = [line["detail"]["type"] for line in raised]
    alerts = sorted(one for one in types if not (damaged and one == "view_quarantined"))
    expected = ["interrupted"] * len(lost)
    return [] if alerts == expected else [f"alerts {alerts}, and {len(lost)} lost their process"]
