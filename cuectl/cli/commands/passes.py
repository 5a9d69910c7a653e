"""`cuectl run-due` and `cuectl worker`, and the live lines of work that takes long."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext

from cuectl.cli.frame.declare import (
    Option,
    command,
    duration,
    printing_name,
    some_time,
    whole_number,
)
from cuectl.values.errors import CuectlError, ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from cuectl.cli.frame.run import Call
    from cuectl.passes.due_queue import PassResult
    from cuectl.passes.watching import Watched

MOST_LINES = 12
_CLEAR_BELOW = "\r\x1b[J"


class LiveLines:
    """Some lines that replace themselves."""

    def __init__(self, stream: TextIO, most: int = MOST_LINES) -> None:
        self._stream = stream
        self._most = max(1, most)
        self._shown = 0

    def show(self, lines: Sequence[str]) -> None:
        """Put these lines in the place of those that were shown before."""
        from cuectl.values.safe_text import visible

        if not lines and not self._shown:
            return
        from cuectl.cli.frame.terminal import terminal_width

        width = terminal_width({}, self._stream)
        cut = [visible(line, newlines=False)[: width - 1] for line in lines[: self._most]]
        if len(lines) > self._most:
            cut[-1] = f"and {len(lines) - self._most + 1} more"
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._stream.write(up + _CLEAR_BELOW + "".join(f"{line}\n" for line in cut))
        self._stream.flush()
        self._shown = len(cut)

    def clear(self) -> None:
        """Take the lines away."""
        self.show(())

    def watch(self, running: Sequence[Watched]) -> None:
        """Show what a pass is running."""
        from cuectl.values.times import span_in_words

        width = max((len(one.name) for one in running), default=0)
        lines = []
        for one in running:
            head = f"{one.name:<{width}}  {span_in_words(int(one.elapsed_s))}"
            lines.append(f"{head}  {one.last_line}".rstrip())
        self.show(lines)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far some work is; at its end nothing is left."""
        self.show([] if done >= total else [f"{what}: {done} of {total} ({done * 100 // total} %)"])


@contextmanager
def _live_lines(call: Call) -> Iterator[LiveLines | None]:
    """Give the lines where a person watches, None elsewhere; they go away with the work."""
    wanted = sys.stderr.isatty() and call.environment.get("TERM", "dumb") != "dumb"
    out = call.out if wanted else None
    lines = LiveLines(out.stderr) if out and out.for_people and not out.quiet else None
    try:
        yield lines
    finally:
        if lines:
            lines.clear()


@contextmanager
def watching(call: Call) -> Iterator[Callable[[Sequence[Watched]], None] | None]:
    """Give what shows the running work."""
    with _live_lines(call) as lines:
        yield lines.watch if lines else None


@contextmanager
def while_working(call: Call) -> Iterator[Callable[[str, int, int], None]]:
    """Give the way in which long work says how far it is."""
    with _live_lines(call) as lines:
        yield lines.progress if lines else lambda *_: None


@command(
    "run-due",
    Option("--dry-run", "Show what would be done, without doing it"),
    Option("--only NAME", "Only this cue; may be repeated", many=True, complete="cue"),
    Option(
        "--max-parallel N",
        "Run at most N executions at once; lowers the setting, never raises it",
        whole_number(1, 10_000),
    ),
    Option("--max-time DUR", "Start nothing after this time, and wait for running work", duration),
    Option(
        "--detach", "Continue in a process of its own once the work is claimed; for systemd timers"
    ),
    Option("--exit-code", "Exit with 3 when work failed"),
    exits={3: "with --exit-code: some of the work failed"},
    see="worker, status",
    table=True,
)
def run_once(
    call: Call,
    *,
    dry_run: bool,
    only: tuple[str, ...],
    max_parallel: int | None,
    max_time: float | None,
    detach: bool,
    exit_code: bool,
) -> int | None:
    """Run everything that is due, once; what cron calls.

    Runs everything that is due, then exits. Work left by a crashed pass is recovered first. Passes
    can overlap: a slow job never holds up the others. Failures of handlers are recorded, raise
    alerts and go to standard error, which cron mails; the exit status only says whether the pass
    itself worked.
    """
    if dry_run:
        _print_plan(call, only)
        return None
    from cuectl.passes import run_due
    from cuectl.passes.due_queue import PassOptions

    if detach:
        status = run_due.detach()
        if status is not None:
            return status
    with nullcontext() if detach else watching(call) as watch:
        options = PassOptions(
            only=frozenset(_chosen(call, only)),
            max_parallel=max_parallel,
            max_time_s=max_time,
            claimed=run_due.tell_detached if detach else None,
            watch=watch,
        )
        try:
            result = run_due.run_pass(call.runtime, options)
        except BaseException:
            run_due.tell_detached(1)
            raise
    return _conclude(call, result, exit_code=exit_code)


def _chosen(call: Call, names: tuple[str, ...]) -> list[str]:
    if not names:
        return []
    from cuectl.cues.lookup import find_cue

    with call.runtime.store.locked():
        return [find_cue(call.runtime.store, name)[0].id for name in names]


def _conclude(call: Call, result: PassResult, *, exit_code: bool) -> int:
    if call.settings.json:
        names = ("started", "settled", "failed", "signal")
        call.out.record({name: getattr(result, name) for name in names}, [])
    elif sys.stdout.isatty() and (result.started or result.settled):
        call.out.say(f"{result.started} started, {result.settled} settled")
    if result.problems:
        raise CuectlError("; ".join(result.problems), hint="look closer: cuectl fsck")
    if result.signal is not None:
        return 128 + result.signal
    return ExitStatus.PARTLY if exit_code and result.failed else ExitStatus.OK


def _print_plan(call: Call, only: tuple[str, ...]) -> None:
    from cuectl.cli.frame.terminal import Column
    from cuectl.passes.await_end import planned

    rows = planned(call.runtime, frozenset(_chosen(call, only)))
    first, count = Column("cue_name", "CUE"), Column("count", right=True)
    columns = (first, Column("decision"), Column("scheduled_for"), count)
    call.out.records(rows, columns, empty="nothing is due")


@command(
    "worker",
    Option(
        "-c, --config FILE", "A definition file whose handlers override the others", complete="file"
    ),
    Option("--once", "Exit when nothing is due or running"),
    Option(
        "--poll DUR", "How often to look for changes by other processes", some_time, default=1.0
    ),
    Option(
        "--worker-id ID",
        "Name in records and in CUE_WORKER_ID; the host's name by default",
        printing_name,
    ),
    Option("--max-parallel N", "Run at most N executions at once", whole_number(1, 10_000)),
    see="run-due, cue.yaml(5)",
)
def work(
    call: Call,
    *,
    config: str | None,
    once: bool,
    poll: float,
    worker_id: str | None,
    max_parallel: int | None,
) -> int | None:
    """Run due cues and keep watching for more.

    A foreground loop over the same code as run-due, for a terminal, a container or a service. It
    claims only what its handlers can run and wakes when the next thing is due. Any number of
    workers and passes may run at once.

    SIGTERM and SIGINT end it: what runs is asked to end and recorded as cancelled(shutdown), what
    was claimed and not started is left to the next pass.
    """
    from cuectl.passes.due_queue import PassOptions
    from cuectl.passes.run_due import run_pass

    # The pass moves between directories, and a worker reads its file again.
    path = os.path.abspath(config) if config is not None else None
    with watching(call) as watch:
        options = PassOptions(
            max_parallel=max_parallel, worker=worker_id, stay=not once, poll_s=poll, watch=watch
        )
        result = run_pass(call.runtime, options, path)
    return _conclude(call, result, exit_code=False)
