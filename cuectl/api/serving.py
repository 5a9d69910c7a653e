"""`cuectl serve`: the interface for as long as the process runs."""

from __future__ import annotations

import os
import signal
import socket
import stat
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from cuectl.api.authority import UserToken
from cuectl.api.server import Server
from cuectl.api.service import Service
from cuectl.engine.clock import monotonic_s
from cuectl.engine.remote_plan import plan_for_workers
from cuectl.model.errors import Conflict, CuectlError, Refused
from cuectl.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.runtime import Runtime

HERE = "127.0.0.1"
_PLAN_EVERY_S = 1.0
_BACKLOG = 64
_LONGEST_SOCKET_PATH = 100


@dataclass(slots=True, kw_only=True)
class Serving:
    """What is served, and where.

    Attributes:
        port: None for no TCP port; 0 for any that is free.
        path: of a Unix socket, None for none.
        started: called with the URL of the TCP port once it listens.
        tell: says what goes wrong while it serves.
    """

    runtime: Runtime
    port: int | None
    path: str | None
    read_only: bool
    started: Callable[[str | None], None]
    tell: Callable[[str], None]
    stopped_by: int | None = None
    _planned_s: float = field(default=0.0)

    def run(self) -> int:
        """Serve until a signal comes; return its number.

        Raises:
            Conflict: the port or the socket is taken.
            Refused: the path of the socket is something else, or the token is not private.
        """
        store = self.runtime.store
        authority = UserToken(self.runtime)
        with ExitStack() as stack:
            listeners: list[socket.socket] = []
            url = None
            number = None
            if self.port is not None:
                listener = stack.enter_context(closing(_tcp(self.port)))
                number = int(listener.getsockname()[1])
                url = f"http://{HERE}:{number}"
                listeners.append(listener)
            if self.path is not None:
                listeners.append(stack.enter_context(closing(_unix(self.path))))
                stack.callback(_remove, self.path)
            service = Service(
                self.runtime,
                authority,
                port=number,
                bare_hosts=self.path is not None,
                read_only=self.read_only,
            )
            wake = self._take_signals(stack)
            server = stack.enter_context(closing(Server(listeners, service.handle, wake=[wake])))
            self.started(url)
            while self.stopped_by is None:
                server.turn(_PLAN_EVERY_S)
                self._plan(store.home)
        return self.stopped_by

    def _take_signals(self, stack: ExitStack) -> int:
        reader, writer = os.pipe()
        for fd in (reader, writer):
            os.set_blocking(fd, False)
            stack.callback(os.close, fd)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, -1)
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.signal(number, self._stop))
        return reader

    def _stop(self, number: int, _frame: object) -> None:
        self.stopped_by = number

    def _plan(self, home: str) -> None:
        """Plan what is due for workers elsewhere, at most once a second."""
        if self.read_only or monotonic_s() - self._planned_s < _PLAN_EVERY_S:
            return
        self._planned_s = monotonic_s()
        try:
            plan_for_workers(self.runtime)
        except (CuectlError, OSError) as error:
            self.tell(f"'{home}': what is due could not be planned: {error}")


def _tcp(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HERE, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        hint = "name another one: --port N; --port 0 takes any that is free"
        words = (error.strerror or str(error)).lower()
        raise Conflict(f"port {port} can't be used: {words}", hint=hint) from error
    return listener


def _unix(path: str) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise Refused(f"the path of the socket is too long: '{path}'")
    _remove_dead(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        words = (error.strerror or str(error)).lower()
        raise Conflict(f"the socket '{path}' can't be made: {words}") from error
    finally:
        os.umask(mask)
    return listener


def _remove_dead(path: str) -> None:
    """Remove a socket that nobody listens on; refuse anything else that is there."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused(f"'{path}' is there and is not a socket of ours")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(path)
        except OSError:
            _remove(path)
            return
    raise Conflict(f"somebody serves on the socket '{path}' already")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
