from __future__ import annotations

import pytest

from cuectl.model.execution_status import ExecutionStatus, event_word, http_word, is_final

# contracts.md, "States": status, over, HTTP, events.
TABLE = [
    ("pending", False, "pending", None),
    ("queued", False, "pending", None),
    ("running", False, "delivering", None),
    ("waiting", False, "retrying", None),
    ("succeeded", True, "success", "completed"),
    ("failed", True, "failed", "failed"),
    ("timed_out", True, "failed", "timeout"),
    ("interrupted", True, "failed", "failed"),
    ("cancelled", True, "failed", "stopped"),
    ("skipped", True, "missed", None),
    ("missed", True, "missed", None),
]


@pytest.mark.parametrize(("name", "final", "http", "event"), TABLE)
def test_a_status_has_the_words_of_the_contract(
    name: str, final: bool, http: str, event: str | None
) -> None:
    status = ExecutionStatus(name)

    assert is_final(status) is final
    assert http_word(status) == http
    assert event_word(status) == event


def test_the_table_names_every_status() -> None:
    assert [row[0] for row in TABLE] == list(ExecutionStatus)
