"""A workflow on a schedule: `cue.yaml` starts it at seven on weekdays."""

from cuectl.workflow import workflow


@workflow(timeout="10m")
async def morning_report(engine, *, since: str = "yesterday", command: str = "git log --oneline"):
    """Collect what has changed and have it summed up."""
    changes = await engine.bash(f"{command} --since={since}")
    handle = await engine.spawn("reviewer")
    return await engine.send(handle, f"Sum up what has changed since {since}:\n{changes.stdout}")
