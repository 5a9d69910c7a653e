"""Running a pass, in this process or in its own."""

from __future__ import annotations

import os
import sys

from cuectl.definitions.in_force import InForce, definitions, load_worker_file
from cuectl.definitions.source_files import ABSENT, HOME_VIEW, changed_calendars, drifted, home_path
from cuectl.passes.loop import Pass
from cuectl.process.runtime import monotonic_s
from cuectl.store.idle import identity
from cuectl.values.times import DAY, civil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.passes.due_queue import PassOptions, PassResult
    from cuectl.process.runtime import Runtime


def run_pass(runtime: Runtime, options: PassOptions, config: str | None = None) -> PassResult:
    """Run one pass, or a worker's with a definition file of its own, until a signal comes."""
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
    from cuectl.passes.pass_end import PassPing

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


def definitions_for_pass(runtime: Runtime) -> tuple[InForce, str | None]:
    """Take over the user's own file; return what is in force, and a line when it is newly bad."""
    store = runtime.store
    with store.locked():
        own = store.read(HOME_VIEW)
        in_force = definitions(store)
    seen = own["identity"] if own else ABSENT
    is_new = identity(home_path(store.home)) != seen or (own and changed_calendars(own))
    year = own.get("calendar_year") if own else None
    if not is_new and (year is None or year == civil(runtime.now() // DAY)[0]):
        return in_force, None
    # Reading YAML is left to the passes that have something new to read.
    from cuectl.applying.apply import apply_home_file

    problem = apply_home_file(runtime)
    with store.locked():
        return definitions(store), problem


def _tell_of_drift(runtime: Runtime) -> None:
    """Say which applied files have changed: changes count only after the next `apply`."""
    with runtime.store.locked():
        changed = drifted(runtime.store)
    for path in changed:
        sys.stderr.write(f"cuectl: '{path}' has changed since it was applied\n")


def detach() -> int | None:
    """Return None in a new process, a status in the first once that has claimed (design.md 4)."""
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
    writer: int = -1


def tell_detached(status: int) -> None:
    """Tell the waiting process that it may end; nothing when there is none."""
    if _Ready.writer >= 0:
        os.write(_Ready.writer, str(status).encode())
        os.close(_Ready.writer)
        _Ready.writer = -1
