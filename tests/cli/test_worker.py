"""`worker`: options that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--poll", "0"), "option '--poll': '0' must be more than nothing"),
        (("--worker-id", ""), "option '--worker-id': the value is empty"),
        (("--worker-id", " "), "option '--worker-id': the value is empty"),
        (("--worker-id", "a\nb"), "option '--worker-id': 'a\\nb' has characters that do not print"),
        (
            ("--worker-id", "w" * 256),
            f"option '--worker-id': '{'w' * 57}...' has more than 255 characters",
        ),
    ],
)
def test_values_that_nobody_can_mean_are_refused(
    cuectl: Cuectl, words: tuple[str, ...], message: str
) -> None:
    """Regression: `--poll 0` was a loop without a rest; a name of two lines stood in records."""
    cuectl.run("worker", "--once", *words).fails(2, message)
    assert not cuectl.home.exists()
