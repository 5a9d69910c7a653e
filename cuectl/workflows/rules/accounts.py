"""How the turns of a run ended, what they cost, and when that is too much.

Each call that took turns has `usage` at its end in the history: that of one turn, or the sums of
the turns of a task or of another run. A run's record has the sums of all of these.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from cuectl.workflows.rules.records import INTERRUPTED, OK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.values.records import Record

# The used part of a budget from which people are warned.
TOLD_AT = 0.8
_TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens")
_COUNTS = ("turns", "turns_failed", "turns_interrupted", "cost_usd", "cost_unknown", *_TOKENS)


def sums_in(record: Record) -> Record:
    """Return all sums, those that a record does not have as nothing.

    `cost_usd` is that of the turns whose cost is known; `cost_unknown` counts the others.
    """
    return {name: record.get(name, 0) for name in _COUNTS} | {"agents": record.get("agents", {})}


def plus(spent: Record, usage: Record) -> Record:
    """Return sums with those of the end of a call."""
    one, other = sums_in(spent), sums_in(usage if "turns" in usage else _of_turn(usage))
    # Sums of cents must not read 0.30000000000000004.
    sums: Record = {name: round(one[name] + other[name], 9) for name in _COUNTS}
    names = one["agents"] | other["agents"]
    both = (one["agents"], other["agents"])
    agents = {name: round(sum(each.get(name, 0.0) for each in both), 9) for name in names}
    return sums | {"agents": agents}


def _of_turn(usage: Record) -> Record:
    status, cost = usage.get("status", OK), usage.get("cost_usd")
    is_known = cost is not None
    sums = {"turns": 1, "turns_failed": int(status not in (OK, INTERRUPTED))}
    sums |= {"turns_interrupted": int(status == INTERRUPTED), "cost_unknown": int(not is_known)}
    agents = {usage["agent"]: cost} if is_known and "agent" in usage else {}
    return usage | sums | {"agents": agents}


def sums_of(lines: Iterable[Record]) -> Record:
    """Return the sums of a history, of what was paid for and then dropped, too."""
    ends = (line for line in lines if line.get("type") == "call.ended" and "usage" in line)
    # What a fork has from the run that it was made of is in the accounts of that one.
    used = (line["usage"] for line in ends if not line["usage"].get("copied"))
    return reduce(plus, used, sums_in({}))


def failures(spent: Record) -> str:
    """Return how many turns did not work, in words; empty for none."""
    kinds = ("failed", "interrupted")
    words = [f"{count} {word}" for word in kinds if (count := spent.get(f"turns_{word}"))]
    return f"of {spent['turns']} turns {' and '.join(words)}" if words else ""


def refusal(
    spent: Record, budget_usd: float | None, max_turns: int | None, agent: str, own: float | None
) -> str | None:
    """Return why no other turn of an agent may start, None when it may; `own` is its budget."""
    if max_turns is not None and spent["turns"] >= max_turns:
        return f"the run has had its {max_turns} turns"
    budgets = (
        ("the run", spent["cost_usd"], budget_usd),
        (f"agent '{agent}' in the run", spent["agents"].get(agent, 0.0), own),
    )
    found = (over(whose, cost, budget) for whose, cost, budget in budgets)
    return next((why for why in found if why is not None), None)


def over(whose: str, spent: float, budget: float | None) -> str | None:
    """Return the words that a budget is spent, None when it is not."""
    if budget is None or spent < budget:
        return None
    return f"the budget of {whose} is spent: {dollars(spent)} of {dollars(budget)}"


def is_nearly_spent(before: float, after: float, budget: float | None) -> bool:
    """Tell whether to warn people now, which happens once."""
    return budget is not None and before < TOLD_AT * budget <= after


def dollars(amount: float) -> str:
    """Return a sum as a person reads it."""
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.2g}"
