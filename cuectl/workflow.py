"""The public names for workflow modules: `from cuectl.workflow import workflow, WorkflowError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.workflows.registration import workflow
from cuectl.model.workflow_errors import (
    ConfigError,
    HistoryMismatch,
    PredicateFailed,
    TimedOut,
    TurnFailed,
    WorkflowError,
)

if TYPE_CHECKING:
    from cuectl.engine.workflows.completed import CompletedProcess
    from cuectl.engine.workflows.engine import WorkflowEngine
    from cuectl.model.workflow_values import InboxMessage, SessionInfo

__all__ = [
    "CompletedProcess",
    "ConfigError",
    "HistoryMismatch",
    "InboxMessage",
    "PredicateFailed",
    "SessionInfo",
    "TimedOut",
    "TurnFailed",
    "WorkflowEngine",
    "WorkflowError",
    "workflow",
]


def __getattr__(name: str) -> Any:
    """Import what only annotations name when somebody asks for it."""
    if name == "WorkflowEngine":
        from cuectl.engine.workflows.engine import WorkflowEngine

        return WorkflowEngine
    if name == "CompletedProcess":
        from cuectl.engine.workflows.completed import CompletedProcess

        return CompletedProcess
    if name in ("InboxMessage", "SessionInfo"):
        from cuectl.model import workflow_values

        return getattr(workflow_values, name)
    raise AttributeError(f"module 'cuectl.workflow' has no attribute '{name}'")
