"""What all parts of the engine share: the run, its calls, its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.engine.workflows.calls import Calls
    from cuectl.engine.workflows.mailbox import Mailbox
    from cuectl.engine.workflows.parking import Parking
    from cuectl.engine.workflows.turns import Turns
    from cuectl.model.workflow_run import WorkflowRun

Record = dict[str, Any]


class EngineState:
    """The engine of one run, as far as all of its parts need it.

    Attributes:
        caller_handle: the session that has asked for the run, None from the command line.
        touched: handles that were sent to; `spawned`: those that this run has opened.
    """

    def __init__(
        self,
        run: WorkflowRun,
        turns: Turns,
        calls: Calls,
        parking: Parking,
        *,
        narrate: Callable[[str], None],
        park_after_s: float | None,
    ) -> None:
        self.run = run
        self.caller_handle = run.caller
        self.touched: dict[str, None] = {}
        self.spawned: dict[str, None] = {}
        self._turns = turns
        self._calls = calls
        self._parking = parking
        self._narrate = narrate
        self._park_after_s = park_after_s
        self._boxes: dict[str, Mailbox] = {}
        self._untils: dict[int, int] = {}

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self.run.workflow

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.id

    workflow_name = name
    workflow_run_id = run_id
    workflow_id = run_id

    @property
    def host(self) -> str | None:
        """The session that has asked for the run, as `caller_handle`."""
        return self.caller_handle

    def log(self, message: object) -> None:
        """Write to the run's log, and to standard error."""
        text = str(self._calls.masked(str(message)))
        self._calls.note({"type": "log", "message": text})
        self._narrate(text)

    # --- for the runner --------------------------------------------------------------------

    @property
    def boxes(self) -> Mapping[str, Mailbox]:
        """The sessions that were sent to."""
        return self._boxes

    def know_limits(self, records: list[Record]) -> None:
        """Take from the history until when sleeps and questions wait."""
        self._untils = {
            each["step"]: each["until"] for each in records if each.get("type") == "until"
        }


def given(**arguments: Any) -> Record:
    """Return the arguments of a call that were given."""
    return {name: value for name, value in arguments.items() if value is not None}
