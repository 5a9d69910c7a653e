"""What goes wrong in and around workflows."""

from __future__ import annotations

from cuectl.model.errors import CuectlError, ExitStatus


class WorkflowError(Exception):
    """The expected failure of a workflow: a predicate is violated, a retry is exhausted.

    Workflows raise it, and the engine does for what an agent or a queue could not do. The run
    is reported as failed, with the message.
    """


class PredicateFailed(WorkflowError):
    """A command did not exit with 0, however often it was tried."""


class TurnFailed(WorkflowError):
    """An agent's turn failed whose answer somebody waited for."""


class TimedOut(WorkflowError):
    """Something took longer than the workflow gave it."""


class HistoryMismatch(Exception):
    """A run that is resumed does not do what it did; the message names both sides."""


class ConfigError(CuectlError):
    """A workflow can't be registered; the message names the places."""

    code = "invalid"
    exit_status = ExitStatus.INVALID
