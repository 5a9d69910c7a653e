"""A worker: an ordinary Celery worker, and the janitor that started it.

The janitor is the first process and imports no Celery; Celery is its child, in a session of its
own, and started again when it dies. When the janitor dies, Celery takes nothing new, lets what
runs come to its end, and goes.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

from cuectl.executions.executors import errand
from cuectl.executions.executors.celery_app import celery_app
from cuectl.executions.executors.janitor import Janitor
from cuectl.executions.rules import wire
from cuectl.process.runtime import monotonic_s
from cuectl.store import home
from cuectl.values.errors import Conflict, LockTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.executors.errand import Post

_LONGEST_PAUSE_S = 60.0


class Worker:
    """One worker, until a signal ends it."""

    def __init__(
        self, site: Post, slots: int, broker: str | None, tell: Callable[[str], None]
    ) -> None:
        self._site = site
        self._slots = slots
        self._broker = broker
        self._tell = tell
        self._child: int | None = None
        self._lifeline = -1  # Celery reads its end; it breaks with this process
        self._pause_s = 1.0
        self._begins_s = 0.0
        self._signals = 0
        self.stopped_by = int(signal.SIGTERM)
        self._pipe = os.pipe()

    def work(self) -> int:
        """Work until a signal comes; a second one ends what runs. Return the exit status."""
        # Report a missing Celery before anything starts.
        celery_app(self._site.url, self._broker)
        try:
            lock = home.acquire(self._site.files.lock_path, 0.0)
        except LockTimeout:
            hint = "give each executor one worker on a machine, and --concurrency to that"
            message = f"a worker for '{self._site.executor}' runs here already"
            raise Conflict(message, hint=hint) from None
        janitor = Janitor(self._site, self._slots, self._tell)
        self._listen()
        try:
            while self._keep_celery(lock):
                janitor.look()
                self._wait()
                if self._signals > 1:
                    janitor.end_all()
        finally:
            janitor.look()
            janitor.leave()
            os.close(lock)
        return 128 + self.stopped_by

    def _listen(self) -> None:
        for end in self._pipe:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _stop(self, number: int, _frame: object) -> None:
        self._signals += 1
        self.stopped_by = number
        if self._child is not None:
            # Celery takes nothing new and waits for what runs.
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)

    def _wait(self) -> None:
        with suppress(InterruptedError, BlockingIOError):
            select.select([self._pipe[0]], [], [], wire.BEAT_S)
            os.read(self._pipe[0], 4096)

    def _keep_celery(self, lock: int) -> bool:
        """Start Celery if it is not running; tell whether this worker continues."""
        if self._child is not None:
            pid, status = os.waitpid(self._child, os.WNOHANG)
            if pid == 0:
                return True
            self._child = None
            os.close(self._lifeline)
            if not self._signals:
                self._tell(f"the Celery worker ended with status {status}")
        if self._signals:
            return False
        now = monotonic_s()
        if now >= self._begins_s:
            # One that dies at once is not restarted in a tight loop.
            lived = now - self._begins_s > _LONGEST_PAUSE_S
            self._pause_s = 1.0 if lived else min(self._pause_s * 2, _LONGEST_PAUSE_S)
            self._begins_s = now + self._pause_s
            self._fork(lock)
        return True

    def _fork(self, lock: int) -> None:
        reader, self._lifeline = os.pipe()
        # Both ends would live on in what the child forks.
        pid = os.fork()
        if pid:
            os.close(reader)
            self._child = pid
            return
        status = 70
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (lock, self._lifeline, *self._pipe):
                os.close(descriptor)
            self._site.cells.close()
            status = self._be_celery(reader)
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _be_celery(self, lifeline: int) -> int:
        from threading import Thread

        site = self._site
        app = celery_app(site.url, self._broker)

        def run(sealed: str) -> None:
            """Do what one message asks for."""
            errand.carry_out(site, sealed)

        app.task(name=wire.TASK, ignore_result=True)(run)
        names = (None, *site.labels, f"@{site.host}")
        worker = app.Worker(
            hostname=f"{site.executor}@{site.host}",
            queues=[wire.queue(site.executor, name) for name in names],
            concurrency=self._slots,
            pool="prefork",
            loglevel="WARNING",
            without_gossip=True,
            without_heartbeat=True,
            without_mingle=True,
            quiet=True,
        )

        def end_with_the_first() -> None:
            with suppress(OSError):
                os.read(lifeline, 1)
            os.kill(os.getpid(), signal.SIGTERM)

        Thread(target=end_with_the_first, daemon=True).start()
        worker.start()
        return int(worker.exitcode or 0)
