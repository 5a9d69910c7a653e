"""The MCP server, driven by the client of the official SDK."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl

pytest.importorskip("mcp")

from mcp import Client, StdioServerParameters

from cuectl.mcp import server

DEADLINE_S = 60.0

DEFINITIONS = """\
agents:
  echo: {driver: command, cmd: [cat]}
queues:
  line: {agent: echo}
workflows: [flows.py]
subscriptions:
  - {name: listener, event: deploy.done, command: [touch, deployed]}
"""
FLOWS = """\
from cuectl.workflow import workflow, WorkflowError

@workflow
async def add(engine, *, a: int, b: int = 2):
    "Add two numbers."
    return a + b

@workflow
async def who(engine):
    return engine.caller_handle

@workflow
async def opens(engine):
    await engine.spawn("echo", handle="asker")
    engine.send("asker", "first")
    await engine.drain("asker")
    await engine.ask_human("go on?")
    engine.send("asker", "second")
    return [message.body for message in await engine.drain("asker")]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with workflows, a queue, a listener and a cue."""
    cuectl.files({"cue.yaml": DEFINITIONS, "flows.py": FLOWS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    cuectl.run("create", "--name", "nightly", "--cron", "0 2 * * *", "--", "true")
    return cuectl


def served(flows: Cuectl, use: Callable[[Client], Awaitable[Any]], *words: str) -> Any:
    """Start the server as a client does, and use it."""

    async def main() -> Any:
        program = StdioServerParameters(
            command=str(flows.programs / "cuectl"),
            args=["mcp", *words],
            env=flows.environment,
            cwd=flows.work,
        )
        async with Client(program) as client:
            return await use(client)

    return asyncio.run(main())


async def tool(client: Client, name: str, /, **arguments: Any) -> Any:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    structured: Any = result.structured_content
    # What is no object comes in one.
    return structured["result"] if set(structured) == {"result"} else structured


async def refusal(client: Client, name: str, /, **arguments: Any) -> str:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


READING = {
    *("cue_list", "cue_list_executions", "cue_list_workflows", "cue_list_runs", "cue_log"),
    *("cue_workflow_status", "cue_list_sessions", "cue_list_agents", "cue_list_queues"),
    "cue_task_status",
}


def test_without_leave_there_is_nothing_that_changes_anything(flows: Cuectl) -> None:
    async def use(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert {each.name for each in tools} == READING
        assert all(each.annotations and each.annotations.read_only_hint for each in tools)
        arguments = {"name": "add", "kwargs": {"a": 1}}
        with pytest.raises(Exception, match="cue_run_workflow"):  # noqa: PT012  # either way
            result = await client.call_tool("cue_run_workflow", arguments)
            assert not result.is_error, result.content

    served(flows, use)
    assert flows.json("workflow", "runs") == []


def test_every_tool_that_reads_answers(flows: Cuectl) -> None:
    assert flows.run("-q", "workflow", "run", "add", "--a=1").status == 0
    run = flows.json("workflow", "runs")[0]["id"]

    async def use(client: Client) -> None:
        assert [one["name"] for one in await tool(client, "cue_list")] == ["nightly", "listener"]
        assert await tool(client, "cue_list_executions") == []
        names = [one["name"] for one in await tool(client, "cue_list_workflows")]
        assert names == ["add", "opens", "who"]
        assert [one["id"] for one in await tool(client, "cue_list_runs")] == [run]
        assert (await tool(client, "cue_workflow_status", run_id=run))["result"] == 3
        assert await tool(client, "cue_list_sessions") == []
        assert [one["name"] for one in await tool(client, "cue_list_agents")] == ["echo"]
        rows = await tool(client, "cue_list_queues")
        assert {one["name"] for one in rows} == {"echo", "line"}
        assert "no task 'task_x'" in await refusal(client, "cue_task_status", task_id="task_x")
        assert (await tool(client, "cue_log", limit=3))[-1]["type"] == "workflow.ended"

    served(flows, use)


def test_every_tool_that_changes_something_does(flows: Cuectl) -> None:
    async def use(client: Client) -> None:
        run = await tool(client, "cue_run_workflow", name="add", kwargs={"a": 40})
        assert run["status"] == "running"
        wrong = await refusal(client, "cue_run_workflow", name="add", kwargs={"c": 1})
        assert "workflow 'add' has no argument 'c'" in wrong
        assert "no workflow 'nope'" in await refusal(client, "cue_run_workflow", name="nope")
        await ended(client, run["run_id"], 42)
        over = await refusal(client, "cue_workflow_cancel", run_id=run["run_id"])
        assert "has finished: succeeded" in over
        task = await tool(client, "cue_enqueue", queue="line", payload="tidy up")
        await done(client, task["task_id"], "tidy up")
        assert "unknown queue" in await refusal(client, "cue_enqueue", queue="x", payload="y")
        await tool(client, "cue_emit", type="deploy.done", payload={"version": 1})
        fired = await tool(client, "cue_fire", name="nightly")
        assert fired["cue_name"] == "nightly"
        outside = await refusal(client, "cue_chain", name="next", workflow="add")
        assert "not inside a handler" in outside
        assert "not inside a handler" in await refusal(client, "cue_report", success=True)

    served(flows, use, "--allow-write")
    flows.run("run-due")
    assert (flows.work / "deployed").exists()


async def ended(client: Client, run: str, result: object) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (found := await tool(client, "cue_workflow_status", run_id=run))["status"] == "running":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (found["status"], found["result"]) == ("succeeded", result)


async def done(client: Client, task: str, result: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (found := await tool(client, "cue_task_status", task_id=task))["status"] != "completed":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert found["result"] == result


def test_nobody_speaks_for_another_session(flows: Cuectl) -> None:
    assert flows.run("-q", "workflow", "run", "opens").status == 4

    async def stranger(client: Client) -> str:
        return await refusal(client, "cue_run_workflow", name="who", from_handle="asker")

    said = served(flows, stranger, "--allow-write")
    assert "this server speaks for no session, not for 'asker'" in said
    assert "for 'other', not for 'asker'" in served(
        flows, stranger, "--allow-write", "--handle", "other"
    )


def test_the_result_comes_to_the_inbox_of_who_has_asked(flows: Cuectl) -> None:
    assert flows.run("-q", "workflow", "run", "opens").status == 4
    parked = flows.json("workflow", "runs")[0]["id"]

    async def use(client: Client) -> Any:
        run = await tool(client, "cue_run_workflow", name="who", from_handle="asker")
        await ended(client, run["run_id"], "asker")
        return run["run_id"]

    run = served(flows.env(CUE_HANDLE="asker"), use, "--allow-write")
    waiting = until(lambda: flows.json("sessions", "show", "asker")["inbox"])
    assert [one["body"] for one in waiting] == ["asker"]
    assert flows.run("-q", "workflow", "answer", parked, "yes").status == 0
    body = flows.json("workflow", "resume", parked)["result"][-1]
    at = waiting[0]["at"]
    assert body == f"> from workflow:who · task#{run} · ok · {at}\n\nasker\n\nsecond"


def test_no_argument_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards: `workflow: "--home=/other"` read another state directory from a server."""
    given: list[list[str]] = []

    async def ask(_: object, words: tuple[str, ...]) -> str:
        given.append([*words])
        return "{}"

    monkeypatch.setattr(server, "_output_of", ask)
    tools = server.Tools(cast("Runtime", None), None)
    bad = "--home=/other"
    tried = 0
    for name, function in inspect.getmembers(tools, inspect.iscoroutinefunction):
        texts = {key for key, one in inspect.signature(function).parameters.items()
                 if "str" in str(one.annotation) and key != "from_handle"}  # fmt: skip
        if name.startswith("_") or not texts:
            continue
        needed = {"success": True} if name == "cue_report" else {}
        tried += 1
        with contextlib.suppress(server.ToolFailed, KeyError):
            asyncio.run(function(**needed, **dict.fromkeys(texts, bad)))
    assert tried > 8
    for words in given:
        options = words[: words.index("--")] if "--" in words else words
        assert bad not in options, words
    assert sum(any(bad in word for word in words) for words in given) > 6


def test_what_looks_like_an_option_is_a_name(flows: Cuectl) -> None:
    async def use(client: Client) -> None:
        assert await tool(client, "cue_list_runs", workflow="--help") == []
        assert "'--help' is no name" in await refusal(client, "cue_run_workflow", name="--help")
        assert "unknown queue: '-x'" in await refusal(
            client, "cue_enqueue", queue="-x", payload="--home=/other"
        )
        nul = await refusal(client, "cue_fire", name="a\0b")
        assert "an argument can't be passed on: embedded null byte" in nul

    served(flows, use, "--allow-write")


def test_a_workflow_starts_under_the_name_that_agents_of_aegis_know(flows: Cuectl) -> None:
    async def use(client: Client) -> None:
        run = await tool(client, "aegis_run_workflow", name="add", kwargs={"a": 5})
        assert run["run_id"] == run["workflow_run_id"]
        await ended(client, run["workflow_run_id"], 7)

    served(flows, use, "--allow-write")


def test_a_line_that_is_no_message_is_refused(flows: Cuectl) -> None:
    """Guards: a line that is not JSON got no answer, so that its sender waited for one."""
    lines = ['{"jsonrpc":"2.0","id":9,"meth', '{"no":"message"}']
    answered = subprocess.run(
        [flows.programs / "cuectl", "mcp"],
        input="".join(f"{line}\n" for line in lines),
        env=flows.environment, cwd=flows.work, capture_output=True, text=True, check=True,
        timeout=DEADLINE_S,
    )  # fmt: skip
    first, second = (json.loads(line) for line in answered.stdout.splitlines())
    assert first == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "not JSON"}}
    assert second["error"] == {"code": -32600, "message": "not a JSON-RPC message"}
