from __future__ import annotations

import pytest

from cuectl.executions.rules.record import FINAL, ExecutionStatus, http_word

# contracts.md, "States": status, over, HTTP.
TABLE = [
    ("pending", False, "pending"),
    ("queued", False, "pending"),
    ("running", False, "delivering"),
    ("waiting", False, "retrying"),
    ("succeeded", True, "success"),
    ("failed", True, "failed"),
    ("timed_out", True, "failed"),
    ("interrupted", True, "failed"),
    ("cancelled", True, "failed"),
    ("skipped", True, "missed"),
    ("missed", True, "missed"),
]


@pytest.mark.parametrize(("name", "final", "http"), TABLE)
def test_a_status_has_the_words_of_the_contract(name: str, final: bool, http: str) -> None:
    status = ExecutionStatus(name)

    assert (status in FINAL) is final
    assert http_word(status) == http


def test_the_table_names_every_status() -> None:
    assert [row[0] for row in TABLE] == list(ExecutionStatus)
