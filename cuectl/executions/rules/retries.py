"""Whether a failed attempt is retried, and when; a refused retry is reported."""

from __future__ import annotations

from cuectl.values.times import span_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.rules.record import Policy

    Grant = tuple[float | None, str | None]

# EX_TEMPFAIL of sysexits(3): not now, try later.
TEMPFAIL = 75
MOST_ATTEMPTS = 101


def grant(
    policy: Policy,
    attempt: int,
    kind: str,
    exit_code: int | None = None,
    asked_s: float | None = None,
    elapsed_s: float = 0.0,
    spread: float = 0.5,
) -> Grant:
    """Return the wait before the next attempt, None for no retry, and why a wish is not granted.

    `kind` is as in `retry_on`, `elapsed_s` since the first attempt, `spread` random from 0 up to 1.
    """
    named = policy.retry_on_exit
    asks = asked_s is not None or exit_code == TEMPFAIL or exit_code in named
    is_other_exit = kind == "failed" and bool(named) and bool(exit_code)
    most, limit_s = policy.max_attempts, policy.retry_for_s
    most = MOST_ATTEMPTS if most == 1 and limit_s is not None else most
    wait_s = _wait_s(policy, attempt, spread) if asked_s is None else asked_s
    if exit_code in policy.never_retry_on_exit:
        why = f"exit status {exit_code} is never retried here"
    elif not asks and (kind not in policy.retry_on or is_other_exit):
        return None, None
    elif attempt >= most:
        why = "no retries are left" if most > 1 else "the cue has no retries"
    elif limit_s is not None and elapsed_s + wait_s > limit_s:
        why = f"it would start more than {span_in_words(limit_s)} after the first attempt"
    else:
        return wait_s, None
    return None, f"it asked for a retry, but {why}" if asks else None


def _wait_s(policy: Policy, attempt: int, spread: float) -> float:
    waits = policy.backoff_s or (0.0,)
    wait_s = waits[min(attempt, len(waits)) - 1] * (1 + policy.retry_jitter * (2 * spread - 1))
    return wait_s if policy.retry_cap_s is None else min(wait_s, policy.retry_cap_s)
