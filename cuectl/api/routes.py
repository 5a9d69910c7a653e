"""All operations of the interface. To add one: its handler, and its line in a module of routes."""

from __future__ import annotations

from cuectl.api.cue_routes import CUE_ROUTES
from cuectl.api.execution_routes import EXECUTION_ROUTES
from cuectl.api.other_routes import OTHER_ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.api.routing import Route

ROUTES: tuple[Route, ...] = CUE_ROUTES + EXECUTION_ROUTES + OTHER_ROUTES
