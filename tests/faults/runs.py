"""Run one command under the tracer: record it, kill it at a call, or make a call fail."""

from __future__ import annotations

import errno as errors
import functools
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from .launch import start_waiting
from .leftovers import kill_leftovers, kill_running_tree
from .observer import Observer
from .operations import CRASH_KINDS, FAIL_KINDS, RECORD_KINDS, Kind, Op
from .plans import Crash, Fail, Injector, Plan, Where
from .reader import Reader
from .snapshot import Snapshot
from .syscalls import calls_by_number
from .tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REPEATABLE = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
_PATIENCE_S = 60.0


class How(TypedDict, total=False):
    """How a command is run; every key may be left out.

    Keys:
        env: the environment (default: this one); two variables that make Python repeatable
            are added.
        cwd: the working directory (default: the root's parent).
        stdin: what it can read.
        deadline_s: after this it is killed with everything that it started (default 30).
        follow: trace its descendants too; the run then lasts until the last of them is over.
        children_first: with `follow` and `data`, the command changes nothing while a descendant
            lives, so that effects come as early as they can; the command must not be waited for.
        data: keep what was written, and both end states, for a power cut.
        kinds: which calls count (default: the changes of names, data and modes, syncs and
            process creation; for `crash_at` also the exit, for `fail_at` also locks).
        reads_anywhere: with `Kind.READ` among the kinds, reads outside of the root count too.
        start_at: nothing counts before a file whose path contains this has been opened.
        substitute: absolute paths, as the command spells them, and the files that it opens instead.
    """

    env: Mapping[str, str]
    cwd: Path
    stdin: bytes
    deadline_s: float
    follow: bool
    children_first: bool
    data: bool
    kinds: frozenset[Kind]
    reads_anywhere: bool
    start_at: str
    substitute: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run did and how it ended.

    Attributes:
        status: the exit status; minus the signal number if a signal ended it.
        ops: the calls, in the order of their ends; the one that was killed has no result.
        hit: the call at which the plan struck; None if it was not reached.
        start: the files before the run, and `end` after it; only when data was asked for.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    ops: tuple[Op, ...]
    hit: Op | None = None
    timed_out: bool = False
    start: Snapshot | None = None
    end: Snapshot | None = None

    def points(self, kinds: frozenset[Kind]) -> list[Op]:
        """Return the calls of the command itself that a plan with these kinds counts."""
        return [op for op in self.ops if op.main and op.kind in kinds]


def record(argv: Sequence[str], root: Path, **how: Unpack[How]) -> Result:
    """Run a command untouched and return all that it did below `root`."""
    how.setdefault("data", True)
    return run_traced(argv, root, None, **how)


def crash_at(
    argv: Sequence[str], root: Path, at: Where, *, tree: bool = False, **how: Unpack[How]
) -> Result:
    """Run a command and SIGKILL it on entering a call, which is not executed.

    Args:
        argv: the command.
        root: only what happens below it counts.
        at: the k-th call that counts, from 0, or the first one of which a claim is true.
        tree: its descendants are killed first; otherwise they live on.
        how: see `How`.
    """
    plan = Crash(at=at, tree=tree, kinds=how.pop("kinds", CRASH_KINDS))
    return run_traced(argv, root, plan, **how)


def fail_at(
    argv: Sequence[str],
    root: Path,
    at: Where,
    errno: int,
    *,
    persist: bool = False,
    short: bool = False,
    **how: Unpack[How],
) -> Result:
    """Run a command and let a call fail with an error, without executing it.

    Args:
        argv: the command.
        root: only what happens below it counts.
        at: the k-th call that counts, from 0, or the first one of which a claim is true.
        errno: the error; the call gets it whether or not a kernel could give it.
        persist: from there on every call that can fail like that does.
        short: if the call is a write, it takes half, and the next write fails.
        how: see `How`.
    """
    kinds = how.pop("kinds", FAIL_KINDS)
    plan = Fail(at=at, errno=errno, persist=persist, short=short, kinds=kinds)
    return run_traced(argv, root, plan, **how)


def run_traced(argv: Sequence[str], root: Path, plan: Plan, **how: Unpack[How]) -> Result:
    """Run a command under a plan; see `record`, `crash_at` and `fail_at`."""
    real = Path(os.path.realpath(root))
    if not real.is_dir():
        raise NotADirectoryError(errors.ENOTDIR, "the root of a run must exist", str(root))
    start = Snapshot.of(real) if how.get("data") else None
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        capture = Path(os.path.realpath(directory))
        (capture / "in").write_bytes(how.get("stdin", b""))
        injector = Injector(plan)
        streams = {str(capture / "out"): 1, str(capture / "err"): 2}
        reader = Reader(
            str(real),
            how.get("kinds", RECORD_KINDS) | injector.kinds,
            streams,
            reads_anywhere=how.get("reads_anywhere", False),
            start_at=how.get("start_at", ""),
            all_opens="substitute" in how,
        )
        observer = Observer(str(real), start) if start else None
        tracer = Tracer(
            root=str(real),
            reader=reader,
            injector=injector,
            streams=streams,
            observer=observer,
            children_first=how.get("children_first", False),
            substitute={old: str(new) for old, new in how.get("substitute", {}).items()},
        )
        timed_out = _run_on_a_thread(tracer, argv, capture, real, how)
        return Result(
            argv=tuple(argv),
            status=tracer.status if tracer.status is not None else -signal.SIGKILL,
            stdout=(capture / "out").read_text("utf-8", "backslashreplace"),
            stderr=(capture / "err").read_text("utf-8", "backslashreplace"),
            ops=tuple(tracer.ops),
            hit=tracer.hit,
            timed_out=timed_out,
            start=start,
            end=Snapshot.of(real) if start else None,
        )


def _run_on_a_thread(
    tracer: Tracer, argv: Sequence[str], capture: Path, root: Path, how: How
) -> bool:
    """Trace on a thread of its own, whose only children are the traced; True: it ran too long."""
    errors: list[BaseException] = []

    def body() -> None:
        try:
            _start_and_trace(tracer, argv, capture, root, how)
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller
            errors.append(error)

    thread = threading.Thread(target=body, name="tracer", daemon=True)
    thread.start()
    try:
        thread.join(how.get("deadline_s", 30.0))
        timed_out = thread.is_alive()
    except BaseException:
        _end(tracer, thread, root)
        raise
    if timed_out:
        _end(tracer, thread, root)
    if errors:
        raise errors[0]
    return timed_out


def _start_and_trace(
    tracer: Tracer, argv: Sequence[str], capture: Path, root: Path, how: How
) -> None:
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    streams = (
        os.open(capture / "in", os.O_RDONLY | os.O_CLOEXEC),
        os.open(capture / "out", writing, 0o600),
        os.open(capture / "err", writing, 0o600),
    )
    try:
        env = {**how.get("env", os.environ), **_REPEATABLE}
        pid, release = start_waiting(argv, env, str(how.get("cwd", root.parent)), streams)
    finally:
        for stream in streams:
            os.close(stream)
    tracer.run(pid, lambda: os.close(release), follow=how.get("follow", False))


def _end(tracer: Tracer, thread: threading.Thread, root: Path) -> None:
    """Kill a run that is still going, with all that it started; the thread reaps."""
    deadline = time.monotonic() + _PATIENCE_S
    while thread.is_alive():
        if time.monotonic() > deadline:
            raise RuntimeError("the traced command cannot be killed")
        for tracee in list(tracer.tracees.values()):
            kill_running_tree(tracee.pid, root)
        thread.join(0.05)
    kill_leftovers(root)


@functools.cache
def unavailable() -> str | None:
    """Return why nothing can be traced here, or None if it can; found out by trying."""
    if sys.platform != "linux":
        return f"no ptrace sweeps on {sys.platform}"
    if not calls_by_number():
        return f"the system calls of {os.uname().machine} are not known here"
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        root = Path(directory, "root")
        root.mkdir()
        made = root / "made"
        try:
            result = crash_at(
                [sys.executable, "-ISc", f"import os; os.mkdir({str(made)!r})"],
                root,
                lambda op: op.call.startswith("mkdir"),
            )
        except OSError as error:
            return f"ptrace does not work here: {error}"
        if result.hit is None or made.exists() or result.status != -signal.SIGKILL:
            return f"ptrace works, but not as expected: {result}"
    return None
