"""The policy that a draft asks for, and the checks that its parts go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cuectl.model.errors import UsageError
from cuectl.model.policy import PLAIN, Policy
from cuectl.model.values import replace

if TYPE_CHECKING:
    from cuectl.model.cue_draft import CueDraft

Record = dict[str, Any]

MOST_RETRIES: Final = 100


def new_policy(draft: CueDraft, target: Record) -> Policy:
    """Return the policy of a new cue.

    Raises:
        UsageError: its parts do not go together.
    """
    policy = check_policy(replace(PLAIN, **(draft.policy or {})))
    unproved = policy.verification != "none" and policy.outcome_deadline_s is None
    if target["type"] != "webhook" or not unproved:
        return policy
    from cuectl.model.webhook import REPORT_WITHIN_S

    # What proves the work comes after the receiver has answered.
    return replace(policy, outcome_deadline_s=REPORT_WITHIN_S)


def said_policy(draft: CueDraft) -> Record:
    """Return the fields of the policy that a draft gives to a cue that is there."""
    said = draft.policy or {}
    if said.get("verification", "command") != "command" and "check" not in said:
        # The checker goes away with the mode that it belongs to.
        return {**said, "check": ()}
    return said


def cleared_policy(draft: CueDraft) -> Record:
    """Return the fields of the policy that a draft empties, as they usually are."""
    fields = draft.cleared & frozenset(Policy.__slots__)
    return {name: getattr(PLAIN, name) for name in fields}


def check_policy(policy: Policy) -> Policy:
    """Return `policy` if its parts go together.

    Raises:
        UsageError: they do not, or a span is not positive.
    """
    if policy.verification == "command" and not policy.check:
        hint = "give it: --verify-command './check.sh'"
        raise UsageError("the verification mode 'command' needs a command", hint=hint)
    if policy.check and policy.verification != "command":
        mode = policy.verification
        raise UsageError(f"a command verifies in the mode 'command' only, not in '{mode}'")
    for name in ("timeout_s", "deadline_s", "outcome_deadline_s"):
        span = getattr(policy, name)
        if span is not None and span <= 0:
            raise UsageError(f"'{name.removesuffix('_s')}' must be more than nothing")
    if not 1 <= policy.max_attempts <= MOST_RETRIES + 1:
        raise UsageError(f"there are 0 to {MOST_RETRIES} retries, not {policy.max_attempts - 1}")
    return policy
