"""Matching the calls of a run of the first format with those of an earlier process.

A call has a place: its number in the branch of the procedure that makes it, `3` in the
procedure itself, `2.1/0` for the first call of the second branch that started after two calls.
So concurrent branches find their own past, in whatever order they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.workflows.rules.history import EngineCall, HistoryMismatch, shown_call

if TYPE_CHECKING:
    from cuectl.values.records import Record


class Past:
    """What a run did before this process: calls by place, checkpoints."""

    def __init__(self, records: list[Record]) -> None:
        self.calls: dict[str, EngineCall] = {}
        self._checkpoint: Record | None = None
        self.steps = 0
        self.resumes = 0
        self._free: list[EngineCall] | None = None
        # A run that was resumed from a checkpoint may have two calls at one place.
        self._by_step: dict[int, EngineCall] = {}
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        match record.get("type"):
            case "call":
                given = {name: record[name] for name in ("step", "place", "name", "arguments")}
                call = EngineCall(**given, result=record.get("result"))
                self.calls[call.place] = self._by_step[call.step] = call
                self.steps = max(self.steps, call.step)
            case "call.ended":
                if record["step"] in self._by_step:
                    self._by_step[record["step"]].result = record["result"]
            case "checkpoint":
                self._checkpoint = record
            case "run.started":
                self.resumes += 1

    def match(self, place: str, name: str, arguments: Record) -> EngineCall | None:
        """Return the past call at a place, None when there is none. Raises HistoryMismatch."""
        if self._free is not None:
            same = (one for one in self._free if (one.name, one.arguments) == (name, arguments))
            found = next((one for one in same if not one.is_old), None)
        else:
            found = self.calls.get(place)
        if found is None or found.is_old:
            return None
        if (found.name, found.arguments) != (name, arguments):
            was, now = shown_call(found.name, found.arguments), shown_call(name, arguments)
            raise HistoryMismatch(f"call {place} was {was} and is now {now}")
        found.is_old = True
        return found

    def resume_from_checkpoint(self) -> Record | None:
        """Return the newest checkpoint, and match later calls by their content from here on.

        A procedure that asks for its state takes another path: places of calls say nothing then.
        """
        newest = self._checkpoint
        if newest is None:
            return None
        self._free = [call for call in self._by_step.values() if call.step > newest["step"]]
        return newest

    def first_untaken(self) -> EngineCall | None:
        """Return the first call outside branches that was not made again, None for none."""
        if self._free is not None:
            return None
        left = (call for call in self.calls.values() if not call.is_old and "/" not in call.place)
        return min(left, key=lambda call: call.step, default=None)
