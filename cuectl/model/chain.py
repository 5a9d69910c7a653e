"""The rules of a chain: who is whose child, how deep, how many (contracts.md, identity 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.errors import Refused, UsageError
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 16
MOST_PER_ROOT_AND_HOUR = 200
WHEN = ("success", "failure", "always")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The execution that a command is called from."""

    execution_id: str
    cue_name: str
    root_id: str
    depth: int
    attempt: int


def parent_from(environment: Mapping[str, str]) -> Parent:
    """Return the parent that a handler's environment names.

    Raises:
        UsageError: it is no handler's environment.
    """
    execution_id = environment.get("CUE_EXECUTION_ID") or environment.get("CUEAPI_EXECUTION_ID")
    if not execution_id:
        hint = "it is called from inside a handler; to start a cue yourself: cuectl fire NAME"
        raise UsageError("not inside a handler: CUE_EXECUTION_ID is not set", hint=hint)
    return Parent(
        execution_id=execution_id,
        cue_name=environment.get("CUE_CUE_NAME", ""),
        root_id=environment.get("CUE_CHAIN_ROOT") or execution_id,
        depth=_number(environment.get("CUE_CHAIN_DEPTH")),
        attempt=_number(environment.get("CUE_ATTEMPT")) or 1,
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def check_depth(depth: int) -> None:
    """Refuse a child that would be too deep.

    Raises:
        Refused: a chain this deep is most likely one that feeds itself.
    """
    if depth > DEEPEST:
        hint = "look at it: cuectl chain show $CUE_CHAIN_ROOT"
        raise Refused(f"the chain is {DEEPEST} deep, which is the limit", hint=hint)


def count_child(times: list[int], now: int) -> list[int]:
    """Return the times of a root's children within the last hour, this one included.

    Raises:
        Refused: there are too many.
    """
    # A clock that went back a little does not give the chain a new hour.
    recent = [at for at in times if abs(now - at) < 3_600_000]
    if len(recent) >= MOST_PER_ROOT_AND_HOUR:
        raise Refused(f"this chain has made {len(recent)} cues within an hour, which is the limit")
    return [*recent, now]
