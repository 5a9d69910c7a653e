"""The plugin for pytest: a fixture with a kit for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cuectl.testing.kit import Kit


@pytest.fixture
def cue_workflow() -> Kit:
    """A kit: tell it what agents and commands answer, and run a workflow."""
    from cuectl.testing.kit import Kit

    return Kit()
