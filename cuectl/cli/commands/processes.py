"""Servers, and the commands that passes start."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

from cuectl.cli.commands.input import CONFIG
from cuectl.cli.frame.declare import Argument, Option, command, not_empty, whole_number
from cuectl.cli.frame.registry import VERSION
from cuectl.values.errors import Conflict, Refused, UsageError

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call

DEFAULT_PORT = 8787


@command(
    "serve",
    Option(
        "--port N",
        "TCP port on 127.0.0.1; 0 takes any that is free",
        whole_number(0, 65_535),
        shown_default=str(DEFAULT_PORT),
    ),
    Option(
        "--socket PATH",
        "Serve on a Unix socket, and on a port only if --port is given",
        not_empty,
        complete="file",
    ),
    Option("--read-only", "Refuse all changes"),
    Option("--actions", "Put buttons on the page: fire, pause, retry, cancel, verify, answer"),
    see="open, dashboard, cuectl-page(7)",
)
def serve(
    call: Call, *, port: int | None, socket: str | None, read_only: bool, actions: bool
) -> None:
    """Serve a page for your browser, and the HTTP interface.

    Prints a link to a page with your cues, their runs and what they print. The link counts once,
    for ten minutes; 'cuectl open' prints another. The page only shows, unless you say --actions.

    Programs find CueAPI's interface under /v1, with the token that stands in a file only you can
    read. A worker that calls it pulls work: runs that are due and have no handler here wait for it.
    Commands, webhooks and tasks with a handler are run by passes (cuectl run-due), so you still
    need cron. SIGTERM or SIGINT stops it.
    """
    from cuectl.http.serving import serve as serve_until_signal
    from cuectl.store.handler_files import TOKEN, secret_path

    if port is None and socket is None:
        port = DEFAULT_PORT
    path = os.path.abspath(socket) if socket is not None else None
    token = secret_path(call.runtime.home, TOKEN)

    def started(url: str | None, link: str) -> None:
        where = {"url": url, "socket": path, "token_file": token, "read_only": read_only}
        lines = [f"the page: {url or 'http://localhost:PORT'}{link}"]
        lines += [f"the interface: {url}/v1"] if url else []
        lines += [f"unix:{path}"] if path else []
        call.out.record({**where, "page": link}, [*lines, f"the token is in {token}"])
        call.out.stdout.flush()

    # A signal is how it ends, so it is no failure.
    serve_until_signal(
        call.runtime,
        port=port,
        path=path,
        read_only=read_only,
        actions=actions,
        started=started,
        tell=call.out.warn,
    )


@command(
    "open",
    Argument("[CUE]", "Open the page of this cue", complete="cue"),
    exits={6: "no page is served"},
    see="serve, dashboard, cuectl-page(7)",
)
def open_page(call: Call, *, cue: str | None) -> None:
    """Print a link to the page that 'cuectl serve' shows.

    The link opens one session of twelve hours. It counts once, for ten minutes, and only you can
    make one. Without a running 'cuectl serve' there is no page.
    """
    from cuectl.cues.lookup import find_cue
    from cuectl.http.page.sessions import new_word
    from cuectl.process.runtime import since_boot_ns
    from cuectl.store import page_files

    home = call.runtime.home
    place = f"?to=cues/{find_cue(call.reader(), cue)[0].id}" if cue is not None else ""
    served = page_files.newest_server(home) if call.runtime.existing_store else None
    if served is None:
        raise Conflict("no page is served", hint="start one, in another terminal: cuectl serve")
    word = new_word(call.runtime.random)
    page_files.leave_link(home, word, since_boot_ns() // 1_000_000)
    # Of a socket, only who forwards a port to it knows the port.
    url = f"{served['url'] or 'http://localhost:PORT'}/open/{word}{place}"
    call.out.record({"url": url, "socket": served["socket"]}, [url])


@command(
    "mcp",
    Option("--allow-write", "Also serve tools that make changes"),
    Option(
        "--handle HANDLE", "The session to speak for, in place of CUE_HANDLE", complete="session"
    ),
    exits={8: "the MCP SDK is not installed"},
    see="cuectl-workflows(7), cuectl-agents(7)",
)
def serve_mcp(call: Call, *, allow_write: bool, handle: str | None) -> None:
    """Serve tools to an agent over MCP, on stdin and stdout.

    Serves cuectl to an agent: list cues, executions, runs, sessions, queues and the log. With
    --allow-write also: run a workflow, give a task to a queue, emit, fire, chain, report, cancel a
    run. It needs the MCP SDK: pip install 'cuectl[mcp]'.

    The server speaks for one session and for no other: the one that cuectl has started its agent
    for (CUE_HANDLE), or the one of --handle. What that session starts comes back to its inbox.
    """
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise Refused("the MCP SDK is not installed", hint="pip install 'cuectl[mcp]'")
    from cuectl.mcp.server import server_of

    own = handle or call.environment.get("CUE_HANDLE") or None
    server_of(call.runtime, VERSION, handle=own, allow_write=allow_write).run("stdio")


@command("pass-api", see="run-due, serve")
def serve_handlers(call: Call) -> None:
    """Serve the HTTP interface of a pass to its handlers.

    A pass starts this when a handler connects to CUEAPI_BASE_URL for the first time. It ends with
    the executions of that pass.
    """
    from cuectl.http.serving import serve_pass

    serve_pass(call.runtime)


@command(
    "deliver",
    Option("--pass", "Ping for the pass at the other end of the standard input"),
    see="alerts list, run-due",
)
def deliver_alerts(call: Call, *, pass_: bool) -> None:
    """Deliver the alerts that are due.

    Hands alerts over to the sinks that are commands or webhooks, and pings to monitors. A pass
    starts this by itself, detached, when there is something to deliver, so that no pass waits for a
    receiver; one process does it at a time. What could not be delivered is tried again after 1, 5
    and 15 minutes, an hour, then every six hours for three days. A receiver can get an alert twice,
    with the same id.
    """
    if pass_:
        from cuectl.definitions.in_force import definitions_now
        from cuectl.passes.pass_end import ping_for_pass

        url = definitions_now(call.reader(), call.runtime.home).settings.ping_url
        if url is not None:
            ping_for_pass(call.runtime, url)
        return
    from cuectl.alerts.delivery import Delivered, deliver

    known = call.runtime.existing_store is not None
    done = deliver(call.runtime) if known else Delivered()
    names = ("delivered", "pinged", "failed", "put_off", "running")
    counts = ((done.pinged, "pinged"), (done.failed, "failed"), (done.put_off, "put off"))
    words = [f"{done.delivered} delivered", *(f"{count} {word}" for count, word in counts if count)]
    words += ["another process delivers"] if done.running else []
    if call.out.for_people:
        call.out.say(", ".join(words))
    else:
        call.out.record({name: getattr(done, name) for name in names})


@command("webhook-call", see="create")
def call_webhook(call: Call) -> int | None:
    """Call the webhook of the execution in the environment.

    A pass starts this for a cue that was made with --url. It sends one signed request and succeeds
    when the answer is 2xx.
    """
    from cuectl.executions.webhook_call import call_for

    answer = call_for(call.runtime)
    call.out.line(answer.text)
    return None if answer.is_good else 1


@command("workflow-execution")
def run_execution(call: Call) -> int | None:
    """Run the workflow of the execution in the environment.

    Passes start it for cues whose work is a workflow. It takes the execution
    from CUE_EXECUTION_ID and reports its outcome as a handler does.
    """
    from cuectl.cli.commands.workflows import finish, narrate_run
    from cuectl.store.files import replace_file
    from cuectl.workflows.rules.signature import result_text
    from cuectl.workflows.start import perform

    execution = call.environment.get("CUE_EXECUTION_ID")
    if not execution:
        raise UsageError("there is no CUE_EXECUTION_ID", hint="passes start this command")
    ended = perform(call.runtime, execution, partial(narrate_run, call.out, "workflow"))
    path = call.environment.get("CUE_OUTCOME_FILE")
    if path and not ended.is_live and not os.path.exists(path):
        worked = ended.status.value == "succeeded"
        outcome = {"success": worked, "metadata": {"run_id": ended.id}}
        text = result_text(ended.result) if worked else ended.error
        outcome |= {"result" if worked else "error": (text or "")[:2_000]}
        replace_file(path, json.dumps(outcome).encode())
    return finish(call, ended, None)


@command("queue-worker", Argument("QUEUE", "Name of a queue"), CONFIG)
def work_on_queue(call: Call, *, queue: str, config: str | None) -> None:
    """Work on the tasks of a queue until there are none.

    Takes a free slot of the queue and does task after task, each in a fresh session of the queue's
    agent; without a free slot it exits at once. Each task that is put into a queue starts one,
    and so does a pass that finds tasks without a worker.
    """
    from cuectl.workflows.catalogue import definitions_for
    from cuectl.workflows.queue_worker import QueueWorker
    from cuectl.workflows.queues import queue_of

    in_force = definitions_for(call.runtime, config)
    done = QueueWorker(call.runtime, in_force, queue_of(in_force, queue)).go()
    call.out.record({"queue": queue, "tasks": done}, [])
