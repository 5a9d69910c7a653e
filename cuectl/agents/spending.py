"""What the turns of an agent cost in a day, where its definition limits that."""

from __future__ import annotations

from cuectl.agents.costs import usage_of
from cuectl.agents.rules import BUDGET
from cuectl.alerts.alerts import raise_alert, sinks_for
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import Phase
from cuectl.executions.targets import agent_of
from cuectl.store import paths
from cuectl.values.times import DAY, MINUTE
from cuectl.workflows.rules.accounts import dollars, is_nearly_spent, over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction


def _spent(source: ViewReader | Transaction, agent: str, day: int) -> float:
    record = source.read(paths.agent_spending(agent))
    return float(record["cost_usd"]) if record is not None and record["day"] == day else 0.0


def refusal(
    source: ViewReader | Transaction, agent: AgentDefinition, now: int, offset_minutes: int
) -> str | None:
    """Return why no turn of an agent may start any more today, None when it may."""
    if agent.budget_usd_per_day is None:
        return None
    spent = _spent(source, agent.name, (now + offset_minutes * MINUTE) // DAY)
    return over(f"agent '{agent.name}' for today", spent, agent.budget_usd_per_day)


def charge(
    tx: Transaction, agent: AgentDefinition, cost_usd: float | None, effects: Effects
) -> None:
    """Add the cost of a turn to those of the day, in the change that is staged; tell in time."""
    budget = agent.budget_usd_per_day
    if budget is None or not cost_usd:
        return
    day = (tx.now + effects.offset_minutes() * MINUTE) // DAY
    before = _spent(tx, agent.name, day)
    after = round(before + cost_usd, 9)
    tx.amend({paths.agent_spending(agent.name): {"day": day, "cost_usd": after}})
    is_spent = before < budget <= after
    if not is_spent and not is_nearly_spent(before, after, budget):
        return
    what = f"agent '{agent.name}' has spent {dollars(after)} of the {dollars(budget)} for today"
    raise_alert(
        tx, tx.now, type=BUDGET, message=f"{what}{': no other turn starts' if is_spent else ''}",
        sinks=sinks_for(effects, BUDGET), randomness=effects.random(9), printed=False,
        subject=f"{agent.name} {day} {is_spent}",
    )  # fmt: skip
    effects.deliver = True


def count_cost(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage what the turn of an execution has cost."""
    done, ended = end.execution, end.ended
    if effects.in_force is None or ended is None or ended.phase is not Phase.MAIN:
        return
    agent = agent_of(done.target, effects.in_force)
    # Of an attempt that another one follows only the list of attempts says it.
    last = done.attempts[-1] if end.step is Step.NEXT_ATTEMPT and done.attempts else {}
    said = done.metadata or last.get("metadata") or {}
    if agent is not None:
        facts = {name: said.get(name) for name in ("cost_usd", "usage")}
        used = usage_of(agent=agent.name, price=agent.price, **facts)
        charge(tx, agent, used.get("cost_usd"), effects)
