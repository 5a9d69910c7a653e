"""`cuectl executors worker`: run executions for another machine."""

from __future__ import annotations

import os

from cuectl.cli.frame.declare import Argument, Option, command, printing_name, whole_number
from cuectl.values.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call


def _labels(text: str) -> tuple[str, ...]:
    from cuectl.values.ids import check_name

    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        check_name(name, "label")
    return names


@command(
    "executors worker",
    Argument("NAME", "Name of the executor, as under `executors` on the control machine"),
    Option(
        "-c, --config FILE", "The definition file with its handlers and agents", complete="file"
    ),
    Option("--url URL", "The Redis between the machines: redis://HOST:6379/0"),
    Option("--broker URL", "The broker, if the executor has one besides its Redis"),
    Option("--labels LABELS", "Labels of this machine: gpu,linux", _labels),
    Option("--concurrency N", "Run at most N executions at once", whole_number(1, 1_000)),
    Option("--accept-commands", "Also run command lines that FILE does not define"),
    Option("--worker-id ID", "Name of this machine; the host name by default", printing_name),
    exits={6: "a worker for this executor already runs here"},
    see="worker, cue.yaml(5)",
)
def work_for_others(
    call: Call,
    *,
    name: str,
    config: str | None,
    url: str | None,
    broker: str | None,
    labels: tuple[str, ...] | None,
    concurrency: int | None,
    accept_commands: bool,
    worker_id: str | None,
) -> int:
    """Run executions for another machine, as one of its workers.

    Takes executions that the control machine sends to this executor or to one of these labels, and
    runs them with the handlers and agents of its own file: commands, directories and secrets stay
    here. It needs Celery, and the fleet key in CUECTL_FLEET_KEY.

    On SIGTERM it takes nothing new and exits when the running executions finish; a second SIGTERM
    stops those too. If it is killed, the next worker on this machine finds and reports its runs.
    """
    from cuectl.executions.executors.errand import Post
    from cuectl.executions.executors.worker import Worker
    from cuectl.executions.rules import wire
    from cuectl.values.ids import check_name

    check_name(name, "executor")
    if config is None or url is None:
        missing = "--config FILE" if config is None else "--url URL"
        raise UsageError(f"'{missing}' is missing", hint="cuectl executors worker --help")
    import gc

    gc.enable()
    site = Post(
        runtime=call.runtime,
        executor=name,
        host=worker_id or os.uname().nodename,
        config=os.path.abspath(config),
        url=url,
        secret=_key(call, wire.KEY_VARIABLE, wire.SHORTEST_KEY),
        umask=os.umask(0o077),
        labels=labels or (),
        accept_commands=accept_commands,
    )
    # A bad file or URL fails here, before anything starts.
    _ = site.in_force(), site.cells
    worker = Worker(site, concurrency or 1, broker, call.out.warn)
    status = worker.work()
    call.out.record({"executor": name, "worker": site.host, "signal": worker.stopped_by}, [])
    return status


def _key(call: Call, variable: str, shortest: int) -> str:
    from cuectl.store.handler_files import read_env_file

    key = call.environment.get(variable) or read_env_file(call.runtime.home).get(variable) or ""
    hint = f"use the same one on all machines: {variable}=$(openssl rand -hex 32)"
    if not key:
        raise UsageError(f"the fleet key is missing: {variable} is not set", hint=hint)
    if len(key) < shortest:
        raise UsageError(f"{variable} is shorter than {shortest} characters", hint=hint)
    return key
