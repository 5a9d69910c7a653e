"""How much of a sweep a run of the tests tries."""

from __future__ import annotations

import pytest

LONGEST_S = 3 * 3600


def sample(count: int) -> pytest.MarkDecorator:
    """Try so many points in the default run, all of them under `-m sweep`."""
    every = pytest.param("all", id="all", marks=everything())
    return pytest.mark.parametrize("points", [pytest.param(count, id="sample"), every])


def everything() -> list[pytest.MarkDecorator]:
    """Return what marks a test that tries every point."""
    return [pytest.mark.sweep, pytest.mark.timeout(LONGEST_S)]
