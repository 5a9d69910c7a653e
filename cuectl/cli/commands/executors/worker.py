"""`cuectl executors worker`: run what another machine starts."""

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
    Argument("NAME", "Name of the executor, as it is under `executors` on the control machine"),
    Option(
        "-c, --config FILE", "The definition file with its handlers and agents", complete="file"
    ),
    Option("--url URL", "The Redis between the machines: redis://HOST:6379/0"),
    Option("--broker URL", "The broker, where the executor names another than its Redis"),
    Option("--labels LABELS", "Labels of this machine: gpu,linux", _labels),
    Option("--concurrency N", "Run at most N executions at once", whole_number(1, 1_000)),
    Option("--accept-commands", "Also run command lines that no file here defines"),
    Option("--worker-id ID", "Name of this machine; the host name by default", printing_name),
    exits={6: "a worker for this executor runs here already"},
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
    """Run what another machine starts, as one worker of its fleet.

    Takes executions that the machine with the store gives to this executor, or to one of its
    labels, and runs them with the handlers and agents of its own file: commands, directories and
    secrets stay here. It needs Celery, and the key of the fleet in CUECTL_FLEET_KEY.

    SIGTERM lets what runs come to its end and takes nothing new; a second one ends that too.
    Whatever is killed, what has run is told: the next worker on this machine finds it.
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
    # What is wrong with the file or the URL is told at once.
    _ = site.in_force(), site.cells
    worker = Worker(site, concurrency or 1, broker, call.out.warn)
    status = worker.work()
    call.out.record({"executor": name, "worker": site.host, "signal": worker.stopped_by}, [])
    return status


def _key(call: Call, variable: str, shortest: int) -> str:
    from cuectl.store.handler_files import read_env_file

    key = call.environment.get(variable) or read_env_file(call.runtime.home).get(variable) or ""
    hint = f"take the same on all machines: {variable}=$(openssl rand -hex 32)"
    if not key:
        raise UsageError(f"the key of the fleet is missing: {variable} is not set", hint=hint)
    if len(key) < shortest:
        raise UsageError(f"{variable} is shorter than {shortest} characters", hint=hint)
    return key
