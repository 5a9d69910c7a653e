"""Which failed attempts are tried again, and when; sizes, shares and exit statuses as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.definitions.section import parse_share, parse_size, parse_status
from cuectl.executions.rules.record import Policy
from cuectl.executions.rules.retries import TEMPFAIL, grant
from cuectl.values.errors import UsageError
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED, ASKED = ("failed", 1), ("failed", TEMPFAIL)


def test_retries_wait_as_they_were_told() -> None:
    policy = Policy(max_attempts=5, backoff_s=(60.0, 300.0))
    waits = [grant(policy, attempt, *FAILED)[0] for attempt in range(1, 6)]

    assert waits == [60.0, 300.0, 300.0, 300.0, None]


def test_without_waits_a_retry_comes_at_once() -> None:
    assert grant(Policy(max_attempts=2, backoff_s=()), 1, *FAILED)[0] == 0


@pytest.mark.parametrize("kind", ["failed", "timed_out", "verification", "interrupted"])
def test_only_what_was_asked_for_is_tried_again(kind: str) -> None:
    policy = Policy(max_attempts=2)
    assert (grant(policy, 1, kind)[0] is not None) == (kind in policy.retry_on)
    asked = replace(policy, retry_on=(kind,))
    assert grant(asked, 1, kind)[0] is not None
    assert grant(replace(asked, max_attempts=1), 1, kind)[0] is None


@pytest.mark.parametrize(
    ("code", "wait_s"), [(1, None), (111, 60.0), (TEMPFAIL, 60.0), (0, 60.0), (None, 60.0)]
)
def test_with_statuses_named_others_are_final(code: int | None, wait_s: float | None) -> None:
    """What ended by a signal or said `success: false` has no status, and is tried again."""
    policy = Policy(max_attempts=3, retry_on_exit=(111,))
    assert grant(policy, 1, "failed", code) == (wait_s, None)


def test_a_named_status_needs_no_kind() -> None:
    policy = Policy(max_attempts=2, retry_on=("timed_out",), retry_on_exit=(9,))

    assert grant(policy, 1, "failed", 9)[0] == 60.0
    assert grant(policy, 1, "failed", 8)[0] is None


@pytest.mark.parametrize(
    ("policy", "attempt", "elapsed_s", "why"),
    [
        (Policy(), 1, 0, "the cue has no retries"),
        (Policy(max_attempts=3), 3, 0, "no retries are left"),
        (
            Policy(max_attempts=3, never_retry_on_exit=(75,)),
            1,
            0,
            "exit status 75 is never retried",
        ),
        (Policy(retry_for_s=7200.0), 1, 7190, "more than 2h after the first attempt"),
    ],
)
def test_a_wish_that_is_not_granted_is_told(
    policy: Policy, attempt: int, elapsed_s: float, why: str
) -> None:
    wait_s, refusal = grant(policy, attempt, *ASKED, elapsed_s=elapsed_s)

    assert wait_s is None
    assert refusal is not None
    assert refusal.startswith("it asked for a retry, but ")
    assert why in refusal


def test_what_nobody_asked_for_is_refused_without_a_word() -> None:
    assert grant(Policy(), 1, *FAILED) == (None, None)
    assert grant(Policy(never_retry_on_exit=(1,), max_attempts=9), 1, *FAILED) == (None, None)


def test_the_wait_that_a_handler_asks_for_counts() -> None:
    policy = Policy(max_attempts=2, retry_jitter=1.0, retry_cap_s=5.0)

    assert grant(policy, 1, *FAILED, asked_s=600, spread=0.9) == (600, None)


def test_a_time_for_retries_alone_has_no_count() -> None:
    policy = Policy(retry_for_s=7200.0, backoff_s=(60.0,))

    assert grant(policy, 50, *FAILED, elapsed_s=3600)[0] == 60.0
    assert grant(policy, 2, *FAILED, elapsed_s=7141)[0] is None
    assert grant(replace(policy, max_attempts=2), 2, *FAILED)[0] is None


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.integers(1, 9))
def test_a_jittered_wait_stays_within_its_share_and_its_cap(
    spread: float, share: float, attempt: int
) -> None:
    policy = Policy(
        max_attempts=10, backoff_s=(100.0, 200.0), retry_jitter=share, retry_cap_s=210.0
    )
    wait_s = grant(policy, attempt, *FAILED, spread=spread)[0]
    told = 100.0 if attempt == 1 else 200.0

    assert wait_s is not None
    assert told * (1 - share) - 1e-6 <= wait_s <= min(told * (1 + share) + 1e-6, 210.0)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2048", 2048), ("50MB", 50_000_000), ("64 kB", 64_000), ("5k", 5000), ("1000B", 1000)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_size, text) for text in ("", "MB", "1", "1.5MB", "-5MB", "5TB", "5 kiB", "٣MB")),
        *((parse_share, text) for text in ("20", "%", "-1%", "101%", "x%")),
        *((parse_status, text) for text in ("", "0", "256", "1,2", "x", "-1")),
    ],
)
def test_what_is_no_size_share_or_status(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_shares_and_statuses() -> None:
    assert (parse_share("20%"), parse_share(" 12.5 % ")) == (0.2, 0.125)
    assert parse_status("75") == 75
