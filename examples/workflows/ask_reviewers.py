"""Fan out over sessions: each file gets a reviewer of its own, all at once."""

from cuectl.workflow import workflow


@workflow
async def ask_reviewers(engine, *, files: list[str], question: str = "Is this right?"):
    """Ask a fresh reviewer about each file and return what they say."""

    async def ask(file):
        handle = await engine.spawn("reviewer")
        return await engine.send(handle, f"{question}\n{file}")

    replies = await engine.parallel([ask(file) for file in files])
    return dict(zip(files, replies, strict=True))
