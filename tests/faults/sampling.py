"""How much of a sweep a run of the tests tries."""

from __future__ import annotations

import pytest

LONGEST_S = 3 * 3600


def sample(count: int) -> pytest.MarkDecorator:
    """Try so many points in the default run, all of them under `-m sweep`."""
    marks = [pytest.mark.sweep, pytest.mark.timeout(LONGEST_S)]
    everything = pytest.param("all", id="all", marks=marks)
    return pytest.mark.parametrize("points", [pytest.param(count, id="sample"), everything])
