"""Cues that a handler chains on a machine without the store: asked for there, made where it is.

An ask is acknowledged by standing on the worker's disk. It says what the child will be called, so
that making it twice makes one: its id comes from the parent and its key, name or number.
"""

from __future__ import annotations

from cuectl.cues.create import Chained, child_identity, cue_of_draft, stage_child
from cuectl.cues.rules.draft import CueDraft
from cuectl.cues.rules.record import CueState, CueStatus, Origin, Parent, check_depth
from cuectl.executions.rules import wire
from cuectl.executions.rules.placement import STAY_HERE
from cuectl.store.fleet_files import ASKS_VARIABLE, add_ask, read_asks
from cuectl.values.ids import cue_id
from cuectl.values.records import dataclass, fields, replace
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_NOT_SENT = ("cleared", "cwd")  # no directory of this machine is one of another


def ask_for_child(
    runtime: Runtime,
    parent: Parent,
    draft: CueDraft,
    *,
    when: str | None,
    key: str | None,
    delay_s: float | None,
) -> Chained:
    """Ask for a child of the execution that calls; what is asked for again is there already.

    Raises CuectlError: it could not be made.
    """
    path = runtime.environment[ASKS_VARIABLE]
    asked = read_asks(path)
    identity = child_identity(key, draft.name) or f"ask:{parent.attempt}.{len(asked) + 1}"
    check_depth(parent.depth + 1)
    now, zone = runtime.now(), draft.timezone or runtime.zone
    draft = replace(draft, id=cue_id(wire.child_randomness(parent.execution_id, identity)))
    origin = Origin(kind="chain", parent=parent.execution_id, when=when, key=key)
    cue = cue_of_draft(draft, runtime, zone, now, origin)
    if cue.trigger["type"] == "at":
        # It counts from here, not from when it gets there.
        draft = replace(draft, in_s=None, at=cue.trigger["at"], timezone=None)
    elif draft.cron is not None:
        draft = replace(draft, timezone=zone)
    status = CueStatus.HELD if when else CueStatus.ACTIVE
    is_new = all(one.get("identity") != identity for one in asked)
    if is_new:
        known = ((one.name, getattr(draft, one.name)) for one in fields(CueDraft))
        said = {name: value for name, value in known if value is not None and name not in _NOT_SENT}
        ask = {"identity": identity, "draft": said, "when": when, "key": key, "delay_s": delay_s}
        add_ask(path, ask)
    return Chained(cue=cue, state=CueState(status=status), is_new=is_new)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskedHere:
    home: str
    zone: str
    random: Callable[[int], bytes]


def make_asked(tx: Transaction, parent: Execution, ask: Record, effects: Effects) -> Chained:
    """Stage the child that an open execution has asked for; one that is there stays as it is.

    It runs where its parent does, unless the ask says otherwise. Raises CuectlError: it can't be
    made.
    """
    draft = _draft_in(ask, getattr(parent, "executor", None), tx.now)
    here = _AskedHere(home=tx.store.home, zone=effects.zone(), random=effects.random)
    key = ask["key"] or (None if draft.name is not None else ask["identity"])
    given = {"when": ask["when"], "delay_s": ask["delay_s"]}
    return stage_child(tx, here, parent.id, draft, key=key, **given)


def _draft_in(ask: Record, place: str | None, now: int) -> CueDraft:
    """Return the draft in an ask; one whose time has passed on the way is due at once."""
    names = {one.name for one in fields(CueDraft)}
    stays = STAY_HERE & ask["draft"].keys()
    said = ({} if stays else {"executor": place}) | ask["draft"]
    said = {name: value for name, value in said.items() if name in names}
    if "argv" in said:
        said["argv"] = tuple(said["argv"])
    policy = said.get("policy", {}).items()
    said["policy"] = {name: tuple(x) if isinstance(x, list) else x for name, x in policy}
    if (at := said.get("at")) is not None and from_text(at) <= now:
        del said["at"]
    return CueDraft(**said)
