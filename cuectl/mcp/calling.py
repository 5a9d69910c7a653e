"""Answering a tool by the command of the same meaning, in a process of its own.

So a tool says and refuses what the command does, and a long lock never stops the server.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.exceptions import ToolError

from cuectl.engine.own_process import own_command, own_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.engine.runtime import Runtime

LIMIT_S = 60.0


class ToolFailed(ToolError):
    """A command has refused; the message is its own, with its hint."""


async def call(runtime: Runtime, words: Sequence[str]) -> Any:
    """Run `cuectl` with the words and return its JSON.

    Raises:
        ToolFailed: it ended with an error.
    """
    process = await asyncio.create_subprocess_exec(
        *own_command(),
        "--json",
        "--no-input",
        "--home",
        runtime.home,
        *words,
        env=own_environment(runtime),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ToolFailed(f"'{words[0]}' took longer than {LIMIT_S:g} s") from None
    if process.returncode not in (0, 4):
        raise ToolFailed(_said(err.decode("utf-8", "replace")))
    return _value(out.decode("utf-8", "replace"))


def _said(text: str) -> str:
    for line in reversed(text.splitlines()):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("type") == "error":
            hint = f" ({record['hint']})" if record.get("hint") else ""
            return f"{record['message']}{hint}"
    return text.strip() or "the command has failed"


def _value(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
