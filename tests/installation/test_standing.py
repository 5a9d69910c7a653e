"""How a cue stands, in words: what failed stays said when something else came after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.executions.rules.verdict import VerdictWord
from cuectl.installation.standing import Standing

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

W = VerdictWord


@pytest.mark.parametrize(
    ("word", "failures", "recent", "result"),
    [
        (None, 0, (), ""),
        (W.PASSED, 0, (W.PASSED,), "passed"),
        (W.FAILED, 1, (W.FAILED,), "failed"),
        (W.TIMED_OUT, 3, (W.FAILED, W.TIMED_OUT), "timed out ×3"),
        (W.CANCELLED, 0, (W.CANCELLED,), "cancelled"),
        (W.CANCELLED, 1, (W.INTERRUPTED, W.CANCELLED), "interrupted, then cancelled"),
        (W.SKIPPED, 2, (W.FAILED, W.FAILED, W.SKIPPED), "failed ×2, then skipped"),
        (W.RUNNING, 2, (W.FAILED, W.UNPROVEN, W.RUNNING), "unproven ×2, now running"),
        (W.RUNNING, 0, (W.RUNNING,), "running"),
        # Of homes of the first version the newest ends are not known.
        (W.CANCELLED, 2, (), "failed ×2, then cancelled"),
    ],
)
def test_the_result_in_words(
    word: W | None, failures: int, recent: tuple[W, ...], result: str
) -> None:
    assert Standing(word=word, failures=failures, recent=recent).result == result


def test_a_run_that_is_cancelled_after_a_failure_hides_it_nowhere(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run("create", "--name", "sync", "--every", "1h", "--shell", "echo no token; exit 1")
    cuectl.run("fire", "sync", "--wait")
    cuectl.run("fire", "sync")
    cuectl.run("cancel", "sync")

    assert "sync  failed since 02:00, then cancelled" in cuectl.run("status").stdout
    assert "failed, then cancelled" in cuectl.run("list").stdout
    assert "failed, then cancelled" in cuectl.run("get", "sync").stdout
