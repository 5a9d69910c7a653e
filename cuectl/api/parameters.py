"""Parameters and headers that several routes take."""

from __future__ import annotations

from cuectl.api.fields import Number, Text
from cuectl.api.routing import Parameter

WORKER_ID = Text(least=1, most=255)
FILTER = Text(least=1, most=500)
KEY_HEADER = ("Idempotency-Key", False, "A repeated request with the same key makes one thing")
WORKER_HEADER = ("X-Worker-Id", False, "Which worker asks")
CONFIRM = ("X-Confirm-Destructive", True, "'true': what is replaced is gone")


def most(default: int, name: str = "limit") -> Parameter:
    """Return how many items a page has at most."""
    return Parameter(
        name=name, field=Number(least=1, most=100), help="How many at most", default=default
    )


def offset(name: str = "offset") -> Parameter:
    """Return how many items are left out before a page."""
    return Parameter(
        name=name, field=Number(least=0, most=10**9), help="How many to leave out", default=0
    )


def matching(name: str, help_text: str) -> Parameter:
    """Return a filter that is a text."""
    return Parameter(name=name, field=FILTER, help=help_text)
