"""The MCP server: tools that read, and, where it was allowed, tools that change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

from cuectl.mcp.calling import ToolFailed, call

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.runtime import Runtime

Record = dict[str, Any]

_INSTRUCTIONS = (
    "cuectl runs work on a schedule, on events and in chains, and proves that it was done. "
    "Tools whose names begin with cue_list, cue_show or end with _status only read."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(read_only_hint=False, open_world_hint=False)


class Tools:
    """The tools of one server.

    Attributes:
        handle: the session that the server speaks for, None for nobody.
    """

    def __init__(self, runtime: Runtime, handle: str | None) -> None:
        self.runtime = runtime
        self.handle = handle

    async def _call(self, *words: str) -> Any:
        return await call(self.runtime, words)

    def _speaker(self, from_handle: str) -> str | None:
        """Return who asks; nobody speaks for another session.

        Raises:
            ToolFailed: somebody tries to.
        """
        if from_handle and from_handle != self.handle:
            own = f"'{self.handle}'" if self.handle else "no session"
            raise ToolFailed(f"this server speaks for {own}, not for '{from_handle}'")
        return self.handle

    # --- reading -----------------------------------------------------------------------------

    async def cue_list(self) -> list[Record]:
        """List the cues with their schedules and last results."""
        found: list[Record] = await self._call("list")
        return found

    async def cue_list_executions(self, cue: str = "", limit: int = 20) -> list[Record]:
        """List executions, the newest first; of one cue when its name is given."""
        words = ["executions", "list", f"--limit={limit}", *([f"--cue={cue}"] if cue else [])]
        found: list[Record] = await self._call(*words)
        return found

    async def cue_list_workflows(self) -> list[Record]:
        """List the workflows with their arguments."""
        found: list[Record] = await self._call("workflow", "list")
        return found

    async def cue_list_runs(self, workflow: str = "", limit: int = 20) -> list[Record]:
        """List runs of workflows, the newest first."""
        words = ["workflow", "runs", f"--limit={limit}", *([workflow] if workflow else [])]
        found: list[Record] = await self._call(*words)
        return found

    async def cue_workflow_status(self, run_id: str) -> Record:
        """Show where a run stands: status, result, error, what it waits for."""
        found: Record = await self._call("workflow", "show", _run(run_id))
        return found

    async def cue_list_sessions(self) -> list[Record]:
        """List the open sessions of agents."""
        found: list[Record] = await self._call("sessions", "list")
        return found

    async def cue_list_agents(self) -> list[Record]:
        """List the agents that can be given work."""
        found: list[Record] = await self._call("agents", "list")
        return found

    async def cue_list_queues(self) -> list[Record]:
        """List how much waits for each agent and in each queue."""
        found: list[Record] = await self._call("queue", "list")
        return found

    async def cue_task_status(self, task_id: str) -> Record:
        """Show what has become of a task that was given to a queue."""
        tasks: list[Record] = await self._call("queue", "tasks", "--all")
        for task in tasks:
            if task["id"] == task_id:
                return task
        raise ToolFailed(f"no task '{task_id}'")

    async def cue_log(self, limit: int = 50) -> list[Record]:
        """Show the newest lines of the journal: what has happened."""
        found: list[Record] = _list(await self._call("log", "-n", str(limit)))
        return found

    # --- changing ----------------------------------------------------------------------------

    async def cue_run_workflow(
        self, name: str, kwargs: Record | None = None, from_handle: str = ""
    ) -> Record:
        """Start a workflow and return at once with the id of its run.

        The result comes to the inbox of the session that this server speaks for, before the
        prompt of its next turn; cue_workflow_status shows it to everybody.
        """
        caller = self._speaker(from_handle)
        words = ["workflow", "run", "--detach", f"--kwargs={json.dumps(kwargs or {})}"]
        words += [f"--from={caller}"] if caller else []
        run: Record = await self._call(*words, _word(name))
        return {"run_id": run["id"], "status": run["status"], "workflow": run["workflow"]}

    async def cue_workflow_cancel(self, run_id: str) -> Record:
        """End a run of a workflow."""
        found: Record = await self._call("workflow", "cancel", _run(run_id))
        return found

    async def cue_enqueue(self, queue: str, payload: str, from_handle: str = "") -> Record:
        """Give a task to a queue; the result comes to the inbox of the session that asks."""
        caller = self._speaker(from_handle)
        words = ["queue", "add", *([f"--callback={caller}"] if caller else [])]
        task: Record = await self._call(*words, "--", queue, payload)
        return {"task_id": task["id"], "status": task["status"]}

    async def cue_emit(self, type: str, payload: Record | None = None) -> Record:  # noqa: A002
        """Record an event and start what listens to it."""
        words = ["emit", f"--payload={json.dumps(payload or {})}", "--", type]
        found: Record = await self._call(*words)
        return found

    async def cue_fire(self, name: str, payload: Record | None = None) -> Record:
        """Start a cue now, whatever its schedule."""
        more = [] if payload is None else [f"--payload={json.dumps(payload)}"]
        found: Record = await self._call("fire", *more, "--", name)
        return found

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
        words = [f"--{key}={value}" for key, value in given.items() if value]
        words += [] if payload is None else [f"--payload={json.dumps(payload)}"]
        found: Record = await self._call("chain", *words)
        return found

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
        words = [f"--{key}={value}" for key, value in given.items() if value]
        found: Record = await self._call("report", "--success" if success else "--failure", *words)
        return found

    def reading(self) -> list[Callable[..., Any]]:
        """Return the tools that change nothing."""
        return [
            *(self.cue_list, self.cue_list_executions, self.cue_list_workflows),
            *(self.cue_list_runs, self.cue_workflow_status, self.cue_list_sessions),
            *(self.cue_list_agents, self.cue_list_queues, self.cue_task_status, self.cue_log),
        ]

    def changing(self) -> list[Callable[..., Any]]:
        """Return the tools that change something."""
        return [
            *(self.cue_run_workflow, self.cue_workflow_cancel, self.cue_enqueue),
            *(self.cue_emit, self.cue_fire, self.cue_chain, self.cue_report),
        ]


def server_of(
    runtime: Runtime, version: str, *, handle: str | None, allow_write: bool
) -> MCPServer[Any]:
    """Return the server.

    Args:
        runtime: of this process.
        version: of cuectl.
        handle: the session that it speaks for.
        allow_write: whether it has the tools that change something.
    """
    server: MCPServer[Any] = MCPServer(
        "cuectl", instructions=_INSTRUCTIONS, version=version, log_level="ERROR"
    )
    tools = Tools(runtime, handle)
    for each in tools.reading():
        server.add_tool(each, annotations=_READS)
    for each in tools.changing() if allow_write else ():
        server.add_tool(each, annotations=_WRITES)
    return server


def _run(text: str) -> str:
    return text if text.startswith("run_") else f"run_{text}"


def _word(name: str) -> str:
    if name.startswith("-"):
        raise ToolFailed(f"'{name}' is no name")
    return name


def _list(value: Any) -> list[Record]:
    return value if isinstance(value, list) else [value] if value else []
