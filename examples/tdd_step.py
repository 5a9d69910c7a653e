"""Write failing tests, implement, verify; tell the agent what fails and let it try again."""

from cuectl.workflow import WorkflowError, workflow


@workflow(durable=True)
async def tdd_step(
    engine,
    *,
    plan_step: str,
    test_command: str = "uv run pytest",
    test_path: str = "tests/test_step.py",
):
    """Run one TDD cycle on the caller (or a fresh worker)."""
    subject = engine.caller_handle or await engine.spawn("worker-sonnet")
    spawned = subject != engine.caller_handle
    try:
        # 1. Write failing tests at the known path.
        engine.send(subject, f"Write failing tests at {test_path} for: {plan_step}.")
        await engine.drain(subject)

        # 2. Verify they fail.
        proc = await engine.bash(f"{test_command} {test_path}")
        if proc.returncode == 0:
            raise WorkflowError(f"tests at {test_path} passed without implementation")

        # 3. Implement.
        engine.send(subject, f"Make {test_path} pass.\n\nFailing output:\n{proc.stdout}")
        await engine.drain(subject)

        # 4. Verify pass; retry up to 3 with feedback.
        for attempt in range(3):
            proc = await engine.bash(f"{test_command} {test_path}")
            if proc.returncode == 0:
                engine.log(f"green after {attempt + 1} attempt(s)")
                return f"green: {test_path}"
            engine.send(subject, f"Still failing:\n{proc.stdout}\n\nFix.")
            await engine.drain(subject)
        raise WorkflowError(f"tests still red after 3 attempts: {plan_step}")
    finally:
        if spawned:
            await engine.close(subject)
