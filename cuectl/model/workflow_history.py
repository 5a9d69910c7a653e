"""Matching the calls of a resumed run with what its history says of them.

A call has a place: its number in the branch of the procedure that makes it, `3` in the
procedure itself, `2.1/0` for the first call of the second branch that began after two calls.
So branches that run at once find their own past, whatever the order in which they go on.
"""

from __future__ import annotations

import json
from typing import Any

from cuectl.model.values import dataclass
from cuectl.model.workflow_errors import HistoryMismatch

Record = dict[str, Any]

_LONGEST_SHOWN = 160


@dataclass(slots=True, kw_only=True)
class PastCall:
    """A call that the history knows.

    Attributes:
        step: its number in the whole run; its files carry it.
        place: where in the procedure it was made.
        result: what came of it; has one of `value` and `error` when it is over.
        taken: a call of the resumed run has been matched with it.
    """

    step: int
    place: str
    name: str
    arguments: Record
    result: Record | None = None
    taken: bool = False

    @property
    def shown(self) -> str:
        """The call as a person would write it, cut to one line."""
        return shown_call(self.name, self.arguments)


def shown_call(name: str, arguments: Record) -> str:
    """Return a call as a person would write it, cut to one line."""
    words = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in arguments.items()
        if value is not None
    )
    return f"{name}({words if len(words) <= _LONGEST_SHOWN else words[:_LONGEST_SHOWN] + '…'})"


class Past:
    """What a run has done before this process: calls by place, checkpoints."""

    def __init__(self, records: list[Record]) -> None:
        self.calls: dict[str, PastCall] = {}
        self.checkpoints: list[Record] = []
        self.steps = 0
        self.resumes = 0
        self._free: list[PastCall] | None = None
        # A run that has gone on from a checkpoint may have two calls at one place.
        self._by_step: dict[int, PastCall] = {}
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        match record.get("type"):
            case "call":
                call = PastCall(
                    step=record["step"],
                    place=record["place"],
                    name=record["name"],
                    arguments=record["arguments"],
                    result=record.get("result"),
                )
                self.calls[call.place] = self._by_step[call.step] = call
                self.steps = max(self.steps, call.step)
            case "call.ended":
                if record["step"] in self._by_step:
                    self._by_step[record["step"]].result = record["result"]
            case "checkpoint":
                self.checkpoints.append(record)
            case "run.started":
                self.resumes += 1

    def match(self, place: str, name: str, arguments: Record) -> PastCall | None:
        """Return what the history says of a call, None when it does not know it.

        Raises:
            HistoryMismatch: it knows another call at that place.
        """
        if self._free is not None:
            return self._match_free(name, arguments)
        found = self.calls.get(place)
        if found is None or found.taken:
            return None
        if (found.name, found.arguments) != (name, arguments):
            raise HistoryMismatch(
                f"call {place} was {found.shown} and is now {shown_call(name, arguments)}"
            )
        found.taken = True
        return found

    def _match_free(self, name: str, arguments: Record) -> PastCall | None:
        for call in self._free or ():
            if not call.taken and (call.name, call.arguments) == (name, arguments):
                call.taken = True
                return call
        return None

    def go_on_from_checkpoint(self) -> Record | None:
        """Return the newest checkpoint, and match what came after it by its content from here.

        A procedure that asks for its state goes another way than before, so the places of its
        calls say nothing; what it did after the checkpoint still is not done twice.
        """
        if not self.checkpoints:
            return None
        newest = self.checkpoints[-1]
        self._free = [call for call in self._by_step.values() if call.step > newest["step"]]
        return newest

    def first_untaken(self) -> PastCall | None:
        """Return a call of the procedure itself that it has not made again, None for none."""
        if self._free is not None:
            return None
        left = (call for call in self.calls.values() if not call.taken and "/" not in call.place)
        return min(left, key=lambda call: call.step, default=None)
