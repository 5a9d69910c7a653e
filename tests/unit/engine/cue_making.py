"""Helpers of the tests about cues: make one, read it, compare the views with the journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_drafts import create_cue
from cuectl.engine.cue_lookup import find_cue
from cuectl.model.cue_draft import CueDraft
from cuectl.store import views
from cuectl.store.segments import implied_views, read_lines

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.cue import Cue, CueState


def a_draft(**fields: Any) -> CueDraft:
    """Return a draft of a command named `backup`, by hand; changed by `fields`."""
    plain: dict[str, Any] = {"name": "backup"}
    if not {"task", "shell", "argv", "payload"} & fields.keys():
        plain["argv"] = ("true",)
    return CueDraft(**(plain | fields))


def make(runtime: Runtime, **fields: Any) -> Cue:
    """Create a cue and return it."""
    return create_cue(runtime, a_draft(**fields)).cue


def found(runtime: Runtime, ref: str) -> tuple[Cue, CueState]:
    """Return a cue and its state as the store has them."""
    with runtime.store.locked():
        return find_cue(runtime.store, ref)


def change(runtime: Runtime) -> Any:
    """Return a transaction at the runtime's instant."""
    return runtime.store.transaction(runtime.now())


def last_lines(runtime: Runtime, count: int) -> list[dict[str, Any]]:
    """Return the newest lines of the journal."""
    return list(read_lines(runtime.home))[-count:]


def markers(runtime: Runtime) -> list[str]:
    """Return the names of all markers, oldest first."""
    return sorted(name for path in _files(runtime.home, "due") for name in [path.split("/")[-1]])


def assert_views_hold(runtime: Runtime) -> None:
    """Check that the views are exactly what the journal implies."""
    implied = implied_views(runtime.home)
    there = [path for folder in (*views.FOLDERS, "due") for path in _files(runtime.home, folder)]
    assert sorted(there) == sorted(implied)
    for path, value in implied.items():
        if value is not True:
            assert views.read_view(runtime.home, path) == value, path


def _files(home: str, folder: str) -> list[str]:
    return [
        os.path.relpath(f"{base}/{name}", home)
        for base, _, names in os.walk(f"{home}/{folder}")
        for name in names
    ]
