"""A person decides: the run is parked until somebody answers, hours later if need be."""

from cuectl.workflow import WorkflowError, workflow


@workflow(durable=True)
async def release_approval(engine, *, version: str, command: str = "echo released"):
    """Ask before a release, and release only after a yes."""
    answer = await engine.ask_human(f"Release {version}?", options=["yes", "no"])
    if answer != "yes":
        raise WorkflowError(f"{version} was not approved")
    done = await engine.bash(f"{command} {version}", check=True)
    return done.stdout.strip()
