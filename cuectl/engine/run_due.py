"""Running a pass, in this process or in one of its own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cuectl.engine.clock import monotonic_s
from cuectl.engine.definitions_in_force import InForce, definitions_for_pass, load_worker_file
from cuectl.engine.known_definitions import drifted
from cuectl.engine.passes import Pass

if TYPE_CHECKING:
    from cuectl.engine.pass_options import PassOptions, PassResult
    from cuectl.engine.runtime import Runtime


def run_pass(runtime: Runtime, options: PassOptions, config: str | None = None) -> PassResult:
    """Run one pass, or a worker's passes until a signal comes.

    Args:
        runtime: of this process.
        options: what was asked.
        config: a worker's own definition file, over all others.

    Raises:
        CuectlError, OSError: the pass could not work.
    """
    if options.stay:
        import gc

        gc.enable()
    one = Pass(runtime, options, lambda: in_force_for(runtime, config))
    if options.end_after_s is not None:
        one.supervisor.end_at_s = monotonic_s() + options.end_after_s
    url = one.context.in_force.settings.ping_url
    if url is None or options.stay or options.executions or options.only:
        return one.run()
    return _run_pinging(runtime, one)


def _run_pinging(runtime: Runtime, one: Pass) -> PassResult:
    """Run a pass whose beginning and end a monitor hears of."""
    from cuectl.engine.pass_ping import PassPing

    ping = PassPing(runtime)
    try:
        result = one.run()
    except BaseException as error:
        ping.failed(error)
        raise
    ping.ended(result)
    return result


def in_force_for(runtime: Runtime, config: str | None = None) -> InForce:
    """Return the definitions of a pass, after taking over a changed `cue.yaml`."""
    base, problem = definitions_for_pass(runtime)
    if problem:
        sys.stderr.write(f"{problem}\n")
    _tell_of_drift(runtime)
    return load_worker_file(config, base) if config else base


def _tell_of_drift(runtime: Runtime) -> None:
    """Say which applied files have changed: they are obeyed after the next `apply` only."""
    with runtime.store.locked():
        changed = drifted(runtime.store)
    for path in changed:
        sys.stderr.write(f"cuectl: '{path}' has changed since it was applied\n")


def detach() -> int | None:
    """Go on in a process of its own; the first one waits until that has claimed its work.

    Returns:
        None in the new process. In the first one, the exit status to end with: systemd's
        timer starts no second pass while the first one waits for a handler (design.md 4).
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        told = os.read(reader, 16)
        os.close(reader)
        return int(told) if told.isdigit() else 0 if told else 1
    os.close(reader)
    os.setsid()
    os.set_inheritable(writer, False)
    _Ready.writer = writer
    return None


class _Ready:
    """The pipe to the process that waits for the detached one."""

    writer: int = -1


def tell_detached(status: int) -> None:
    """Tell the waiting process that it may end; nothing when there is none."""
    if _Ready.writer >= 0:
        os.write(_Ready.writer, str(status).encode())
        os.close(_Ready.writer)
        _Ready.writer = -1
