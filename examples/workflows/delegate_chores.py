"""Delegate to a queue: its workers take the tasks in order, no more than two at once."""

from cuectl.workflow import workflow


@workflow(durable=True)
async def delegate_chores(engine, *, chores: list[str]):
    """Give every chore to the queue and return the answers in the order of the chores."""
    return await engine.parallel([engine.delegate("chores", chore) for chore in chores])
