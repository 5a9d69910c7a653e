"""The public names for workflow modules: `from cuectl.workflow import workflow, WorkflowError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.workflows.catalogue import ConfigError, workflow
from cuectl.workflows.rules.history import (
    BudgetExceeded,
    ChildFailed,
    HistoryMismatch,
    PredicateFailed,
    StepFailed,
    StepInterrupted,
    TimedOut,
    TurnFailed,
    TurnInterrupted,
    WorkflowError,
)
from cuectl.workflows.rules.records import InboxMessage, SessionInfo

if TYPE_CHECKING:
    from cuectl.workflows.engine import WorkflowEngine
    from cuectl.workflows.engine_flow import CompletedProcess

__all__ = [
    "BudgetExceeded",
    "ChildFailed",
    "CompletedProcess",
    "ConfigError",
    "HistoryMismatch",
    "InboxMessage",
    "PredicateFailed",
    "SessionInfo",
    "StepFailed",
    "StepInterrupted",
    "TimedOut",
    "TurnFailed",
    "TurnInterrupted",
    "WorkflowEngine",
    "WorkflowError",
    "workflow",
]


def __getattr__(name: str) -> Any:
    """Import what only annotations name when it is asked for."""
    if name in ("CompletedProcess", "WorkflowEngine"):
        from cuectl.workflows import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'cuectl.workflow' has no attribute '{name}'")
