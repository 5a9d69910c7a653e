"""`cuectl agents` and `cuectl queue`: agents, and the lines and tasks that wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import CONFIG, confirm, warn_of_definitions
from cuectl.cli.commands.reading import time_column
from cuectl.cli.frame.declare import Argument, Option, command
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import ExitStatus

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call


@command("agents list", see="agents test, cuectl-agents(7)", table=True)
def list_agents(call: Call) -> None:
    """List the agents, and how busy each is.

    Prints the agents of the definitions in force: the program behind each, where it works, how many
    turns run and may run at once, and how many executions wait for it.
    """
    from cuectl.agents.listing import agents_in
    from cuectl.definitions.in_force import definitions_now

    reader = call.reader()
    agents = agents_in(reader, definitions_now(reader, call.runtime.home))
    columns = (
        Column("name", "AGENT"),
        Column("driver"),
        Column("running", show=lambda r: _of(r["running"], r["max_concurrent"])),
        Column("waiting", show=lambda r: _of(r["waiting"], r["queue_size"])),
        Column("cwd", "DIRECTORY"),
    )
    warn_of_definitions(call)
    empty = "no agents yet; define one under 'agents' in ~/.cue/cue.yaml"
    call.out.records(agents, columns, empty=empty)


@command(
    "agents test",
    Argument("NAME", "Name or id of the agent", complete="agent"),
    Option("--prompt TEXT", "Ask this, and show the answer"),
    exits={4: "something is missing, or the answer is an error"},
    see="agents list, cuectl-agents(7)",
    table=True,
)
def test_agent(call: Call, *, name: str, prompt: str | None) -> int | None:
    """See whether an agent can be started, and answers.

    Looks for the directory and the program of an agent in the environment of this command, and asks
    the program for its version. With --prompt it is given that prompt once, and its answer is
    shown. Nothing of it is written to the journal. A pass that cron starts has another environment:
    try it there as well.
    """
    from cuectl.agents.trial import try_agent
    from cuectl.definitions.in_force import definitions_now

    reader = call.reader()
    in_force = definitions_now(reader, call.runtime.home)
    checks = try_agent(call.runtime, in_force, name, prompt)
    columns = (
        Column("check"),
        Column("ok", show=lambda r: "yes" if r["ok"] else "no"),
        Column("detail"),
    )
    call.out.records([one.to_record() for one in checks], columns)
    return None if all(one.ok for one in checks) else ExitStatus.NO


@command("queue list", see="queue clear, agents list, cuectl-queues(7)", table=True)
def list_queues(call: Call) -> None:
    """Show how much waits for each agent and queue.

    Prints, for every agent, how many turns run, how many may, how many executions wait for one, and
    since when the first of them. An agent that is no longer defined is listed as long as something
    waits for it. Then the same for every queue of the definitions.
    """
    from cuectl.agents.listing import queues_in
    from cuectl.definitions.in_force import definitions_now

    reader = call.reader()
    in_force = definitions_now(reader, call.runtime.home)
    rows = queues_in(reader, in_force)
    if in_force.definitions.queues:
        from cuectl.workflows.queues import rows_of

        rows += rows_of(reader, in_force)
    columns = (
        Column("kind"),
        Column("name"),
        Column("running", show=lambda r: _of(r["running"], r["max_concurrent"])),
        Column("waiting", show=lambda r: _of(r["waiting"], r["queue_size"])),
        time_column(call, "oldest", "SINCE"),
    )
    call.out.records(rows, columns, empty="no agents yet")


def _of(count: int, most: int | None) -> str:
    return f"{count} of {most}" if most is not None else str(count)


@command(
    "queue clear",
    Argument("NAME", "Name of a queue, name or id of an agent", complete="queue"),
    Option("--yes", "Do not ask"),
    exits={
        5: "there is no such agent or queue",
        8: "it needs confirmation, and there is no terminal (pass --yes)",
    },
    see="queue list, cuectl-agents(7)",
)
def clear_line(call: Call, *, name: str, yes: bool) -> None:
    """Cancel everything that waits for an agent or queue.

    Records every execution that waits for a slot of the agent as skipped, with the reason
    'cleared'. What runs continues. Of a queue, the tasks that wait are cancelled; a name that both
    a queue and an agent have is the queue's.
    """
    from cuectl.agents.listing import clear_queue
    from cuectl.definitions.in_force import definitions_now
    from cuectl.workflows.queues import clear

    reader = call.reader()
    if name in definitions_now(reader, call.runtime.home).definitions.queues:
        kind, done, what = "queue", "cancelled", "task"
        confirm(call, f"cancel all waiting tasks of queue '{name}'?", yes=yes)
        gone = clear(call.runtime, name)
    else:
        kind, done, what = "agent", "sent away", "execution"
        confirm(call, f"cancel everything waiting for agent '{name}'?", yes=yes)
        gone = clear_queue(call.runtime, name)
    if call.out.for_people:
        call.out.say(f"{done} {len(gone)} {what}{'' if len(gone) == 1 else 's'}")
    else:
        call.out.record({"kind": kind, "name": name, "cleared": gone}, [])


@command(
    "queue add",
    Argument("QUEUE", "Name of the queue", complete="queue"),
    Argument("TEXT", "The prompt for the agent"),
    CONFIG,
    Option(
        "--callback HANDLE",
        "The session to tell about the result, in its next turn",
        complete="session",
    ),
    exits={5: "there is no such queue or session"},
    see="queue tasks, queue list, cuectl-queues(7)",
)
def add(call: Call, *, queue: str, text: str, config: str | None, callback: str | None) -> None:
    """Give a task to a queue.

    Puts a prompt at the end of a queue of the definitions and prints the id of the task. The tasks
    of a queue are taken in their order, each by a fresh session of the queue's agent, and no more
    of them at once than max_parallel, wherever they come from.
    """
    from cuectl.workflows.catalogue import definitions_for
    from cuectl.workflows.queues import add_task

    in_force = definitions_for(call.runtime, config)
    task = add_task(call.runtime, in_force, queue, text, callback=callback, config=config)
    if call.out.json or call.out.plain:
        call.out.record(task.to_record())
    else:
        call.out.line(task.id)


@command(
    "queue tasks",
    Argument("[NAME]", "Only this queue", complete="queue"),
    Option("--all", "Include finished tasks"),
    see="queue add, queue list, cuectl-queues(7)",
    table=True,
)
def list_tasks(call: Call, *, name: str | None, all: bool) -> None:
    """List the tasks of queues.

    Prints the tasks that wait or run, the first one first; with --all those that are over too, with
    what came of them.
    """
    from cuectl.workflows.queues import tasks_of

    found = tasks_of(call.reader(), ended=all)
    records = [task.to_record() for task in found if name in (None, task.queue)]

    def text(record: Any) -> str:
        return str(record.get("result") or record.get("error") or record["payload"])[:80]

    columns = (
        Column("id", "TASK"),
        Column("queue"),
        Column("status"),
        time_column(call, "enqueued_at", "SINCE"),
        Column("payload", "TEXT", show=text),
    )
    call.out.records(records, columns, empty="no waiting tasks (--all shows finished ones)")


@command(
    "queue cancel",
    Argument("TASK", "Id of a task"),
    exits={6: "the task has finished"},
    see="queue tasks",
)
def end_task(call: Call, *, task: str) -> None:
    """End a task of a queue.

    A task that waits is cancelled at once; of one that runs the turn is ended by the worker that
    has it, with all that it has started.
    """
    from cuectl.workflows.queues import any_task, cancel_task

    store = call.runtime.store
    with store.locked():
        found = any_task(store, task)
    ended = cancel_task(call.runtime, found)
    call.out.record(ended.to_record(), [])
    word = "cancelled" if ended.is_over else "asked for the end of"
    call.out.say(f"{word} '{ended.id}'")
