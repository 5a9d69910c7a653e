"""How a check answers."""

from __future__ import annotations

from cuectl.model.finding import Finding, Level


def ok(code: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(level=Level.OK, code=code, message=message)


def warning(code: str, message: str, hint: str) -> Finding:
    """Return what somebody should look at."""
    return Finding(level=Level.WARNING, code=code, message=message, hint=hint)


def problem(code: str, message: str, hint: str) -> Finding:
    """Return what keeps work from being done, or from being seen."""
    return Finding(level=Level.PROBLEM, code=code, message=message, hint=hint)
