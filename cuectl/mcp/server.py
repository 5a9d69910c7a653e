"""The MCP server: each tool is the command of the same meaning, in a process of its own."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, ToolAnnotations
from pydantic import ValidationError

from cuectl.process.runtime import own_command, own_environment

# The SDK reads the annotations of the tools while the program runs.
from cuectl.values.records import Record  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cuectl.process.runtime import Runtime

_INSTRUCTIONS = (
    "cuectl runs work on a schedule, on events and in chains, and proves that it was done. "
    "Tools whose names begin with cue_list, cue_show or end with _status only read."
)
_LIMIT_S = 60.0
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(read_only_hint=False, open_world_hint=False)


class ToolFailed(ToolError):
    """A command has refused; the message is its own, with its hint."""


class Tools:
    """The tools of one server; `handle` is the session it speaks for, None for no session."""

    def __init__(self, runtime: Runtime, handle: str | None) -> None:
        self.runtime = runtime
        self.handle = handle

    async def _record(self, *words: str) -> Record:
        found: Record = _value(await _output_of(self.runtime, words))
        return found

    async def _records(self, *words: str) -> list[Record]:
        found = _value(await _output_of(self.runtime, words))
        return found if isinstance(found, list) else [found] if found else []

    def _speaker(self, from_handle: str) -> str | None:
        if from_handle and from_handle != self.handle:
            own = f"'{self.handle}'" if self.handle else "no session"
            raise ToolFailed(f"this server speaks for {own}, not for '{from_handle}'")
        return self.handle

    async def cue_list(self) -> list[Record]:
        """List the cues with their schedules and last results."""
        return await self._records("list")

    async def cue_list_executions(self, cue: str = "", limit: int = 20) -> list[Record]:
        """List executions, the newest first; of one cue when its name is given."""
        return await self._records("executions", "list", *_options(limit=limit, cue=cue))

    async def cue_list_workflows(self) -> list[Record]:
        """List the workflows with their arguments."""
        return await self._records("workflow", "list")

    async def cue_list_runs(self, workflow: str = "", limit: int = 20) -> list[Record]:
        """List runs of workflows, the newest first."""
        # Behind `--` a name that begins with a dash is a name, and no option.
        one = ["--", workflow] if workflow else []
        return await self._records("workflow", "runs", *_options(limit=limit), *one)

    async def cue_workflow_status(self, run_id: str) -> Record:
        """Show where a run stands: status, result, error, what it waits for."""
        return await self._record("workflow", "show", "--", run_id)

    async def cue_list_sessions(self) -> list[Record]:
        """List the open sessions of agents."""
        return await self._records("sessions", "list")

    async def cue_list_agents(self) -> list[Record]:
        """List the agents that can be given work."""
        return await self._records("agents", "list")

    async def cue_list_queues(self) -> list[Record]:
        """List how much waits for each agent and in each queue."""
        return await self._records("queue", "list")

    async def cue_task_status(self, task_id: str) -> Record:
        """Show what has become of a task that was given to a queue."""
        for task in await self._records("queue", "tasks", "--all"):
            if task["id"] == task_id:
                return task
        raise ToolFailed(f"no task '{task_id}'")

    async def cue_log(self, limit: int = 50) -> list[Record]:
        """Show the newest lines of the journal: what has happened."""
        return await self._records("log", f"-n{limit}")

    async def cue_run_workflow(
        self, name: str, kwargs: Record | None = None, from_handle: str = ""
    ) -> Record:
        """Start a workflow and return at once with the id of its run.

        The result comes to the inbox of the session that this server speaks for, before the
        prompt of its next turn; cue_workflow_status shows it to everybody.
        """
        caller = self._speaker(from_handle)
        words = _options(**{"kwargs": kwargs or {}, "from": caller})
        run = await self._record("workflow", "run", "--detach", *words, _word(name))
        return {"run_id": run["id"], "status": run["status"], "workflow": run["workflow"]}

    async def aegis_run_workflow(
        self, name: str, kwargs: Record | None = None, from_handle: str = ""
    ) -> Record:
        """Start a workflow, as cue_run_workflow does, under the name that agents of Aegis know."""
        run = await self.cue_run_workflow(name, kwargs, from_handle)
        return {"workflow_run_id": run["run_id"], **run}

    async def cue_workflow_cancel(self, run_id: str) -> Record:
        """End a run of a workflow."""
        return await self._record("workflow", "cancel", "--", run_id)

    async def cue_enqueue(self, queue: str, payload: str, from_handle: str = "") -> Record:
        """Give a task to a queue; the result comes to the inbox of the session that asks."""
        words = _options(callback=self._speaker(from_handle))
        task = await self._record("queue", "add", *words, "--", queue, payload)
        return {"task_id": task["id"], "status": task["status"]}

    async def cue_emit(self, type: str, payload: Record | None = None) -> Record:  # noqa: A002
        """Record an event and start what listens to it."""
        return await self._record("emit", *_options(payload=payload or {}), "--", type)

    async def cue_fire(self, name: str, payload: Record | None = None) -> Record:
        """Start a cue now, whatever its schedule."""
        return await self._record("fire", *_options(payload=payload), "--", name)

    async def cue_chain(
        self,
        name: str = "",
        task: str = "",
        agent: str = "",
        prompt: str = "",
        workflow: str = "",
        payload: Record | None = None,
        when: str = "",
        in_: str = "",
    ) -> Record:
        """Schedule the next step of the execution that this agent works for.

        One of task, agent with prompt, and workflow says what it is; when is success, failure
        or always, in_ a delay such as 20m.
        """
        given = {"name": name, "task": task, "agent": agent, "prompt": prompt}
        given |= {"workflow": workflow, "when": when, "in": in_}
        return await self._record("chain", *_options(**given, payload=payload))

    async def cue_report(
        self,
        success: bool,
        external_id: str = "",
        result_url: str = "",
        summary: str = "",
        error: str = "",
    ) -> Record:
        """Report the outcome of the execution that this agent works for, with its evidence."""
        given = {"external-id": external_id, "result-url": result_url}
        given |= {"summary": summary, "error": error}
        outcome = "--success" if success else "--failure"
        return await self._record("report", outcome, *_options(**given))


_CHANGING = (
    *(Tools.cue_run_workflow, Tools.cue_workflow_cancel, Tools.cue_enqueue, Tools.cue_emit),
    *(Tools.cue_fire, Tools.cue_chain, Tools.cue_report, Tools.aegis_run_workflow),
)


class CueServer(MCPServer[Any]):
    """A server that answers also what is no message, where the SDK's own is silent."""

    async def run_stdio_async(self) -> None:
        """Serve the client at the other end of the standard streams."""
        async with stdio_server() as (read, write):
            server = self._lowlevel_server
            options = server.create_initialization_options()
            await server.run(_messages(read, write), write, options)  # type: ignore[arg-type]


async def _messages(read: Any, write: Any) -> AsyncIterator[SessionMessage]:
    """Yield the messages of a client; what is none is refused and not handed on."""
    async with read:
        async for item in read:
            if isinstance(item, SessionMessage):
                yield item
            else:
                refused = JSONRPCError(jsonrpc="2.0", id=None, error=_refusal(item))
                await write.send(SessionMessage(refused))


def _refusal(error: Exception) -> ErrorData:
    """Return what a line that is no message is answered with."""
    if isinstance(error, ValidationError) and error.errors()[0]["type"] == "json_invalid":
        return ErrorData(code=PARSE_ERROR, message="not JSON")
    return ErrorData(code=INVALID_REQUEST, message="not a JSON-RPC message")


def server_of(
    runtime: Runtime, version: str, *, handle: str | None, allow_write: bool
) -> MCPServer[Any]:
    """Return the server of a session; `allow_write` gives it the tools that change something."""
    server = CueServer("cuectl", instructions=_INSTRUCTIONS, version=version, log_level="ERROR")
    tools = Tools(runtime, handle)
    for name, function in vars(Tools).items():
        changes = function in _CHANGING
        if name.startswith(("cue_", "aegis_")) and (allow_write or not changes):
            server.add_tool(getattr(tools, name), annotations=_WRITES if changes else _READS)
    return server


def _options(**given: Any) -> list[str]:
    """Return the options of a command for the values that were given; objects go as JSON."""
    texts = {
        key: json.dumps(value) if isinstance(value, dict) else value for key, value in given.items()
    }
    return [f"--{key}={text}" for key, text in texts.items() if text not in (None, "")]


def _word(name: str) -> str:
    if name.startswith("-"):
        raise ToolFailed(f"'{name}' is no name")
    return name


async def _output_of(runtime: Runtime, words: tuple[str, ...]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *(*own_command(), "--json", "--no-input", "--home", runtime.home, *words),
            env=own_environment(runtime),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        # A text with a NUL or with half a surrogate, or one that is too long.
        raise ToolFailed(f"an argument can't be passed on: {error}") from None
    try:
        out, err = await asyncio.wait_for(process.communicate(), _LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ToolFailed(f"'{words[0]}' took longer than {_LIMIT_S:g} s") from None
    if process.returncode not in (0, 4):
        raise ToolFailed(_said(err.decode("utf-8", "replace")))
    return out.decode("utf-8", "replace")


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
