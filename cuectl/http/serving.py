"""Serving the interface: `cuectl serve` for the user, and the helper of a pass for its handlers."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from cuectl.executions.lookup import ENDED, LOST, STARTS_AGAIN, Live
from cuectl.http.routes import ROUTES
from cuectl.http.server import Server
from cuectl.http.service import RunTokens, Service, UserToken
from cuectl.passes.endpoint import INTRODUCTION_FD, LISTENER_FD
from cuectl.passes.remote_claims import plan_for_workers
from cuectl.process.runtime import Runtime, monotonic_s
from cuectl.store import files, page_files
from cuectl.store.idle import open_above
from cuectl.store.reading import open_reader
from cuectl.store.views import BadView
from cuectl.values.errors import Conflict, CuectlError, Refused, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = "127.0.0.1"
_PLAN_EVERY_S = 1.0
_BACKLOG = 64
_LONGEST_SOCKET_PATH = 100
_LIFELINE_FD = 0
_LONGEST_INTRODUCTION = 4_096
_REST_S = 30.0


def serve(
    runtime: Runtime,
    *,
    port: int | None,
    path: str | None,
    read_only: bool,
    actions: bool,
    started: Callable[[str | None, str], None],
    tell: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; `port` 0 takes any that is free.

    `started` gets the URL, and the path of a link to the page.
    """
    from cuectl.http.page.site import PageSite

    store = runtime.store
    site = PageSite(runtime, acts=actions and not read_only)
    authority = UserToken(runtime)
    with ExitStack() as stack:
        listeners: list[socket.socket] = []
        url = number = None
        if port is not None:
            listeners.append(stack.enter_context(closing(_listen_on_port(port))))
            number = int(listeners[0].getsockname()[1])
            url = f"http://{_HERE}:{number}"
        if path is not None:
            listeners.append(stack.enter_context(closing(_listen_on_path(path))))
            stack.callback(files.remove_file, path)
        bare = path is not None
        service = Service(
            runtime, authority, ROUTES, port=number, bare_hosts=bare, read_only=read_only, site=site
        )
        said, alive = page_files.announce(store.home, {"url": url, "socket": path})
        stack.callback(os.close, alive)
        stack.callback(files.remove_file, said)
        signals = _Signals(stack)
        server = Server(listeners, service.handle, knows=service.knows, wake=[signals.reader])
        stack.enter_context(closing(server))
        started(url, site.new_link())
        planned_s = 0.0
        while not signals.came:
            server.turn(_PLAN_EVERY_S)
            if read_only or monotonic_s() - planned_s < _PLAN_EVERY_S:
                continue
            planned_s = monotonic_s()
            try:
                plan_for_workers(runtime)
            except (CuectlError, OSError) as error:
                tell(f"'{store.home}': what is due could not be planned: {error}")


class _Signals:
    def __init__(self, stack: ExitStack) -> None:
        self.came = False
        self.reader, writer = os.pipe()
        for fd in (self.reader, writer):
            os.set_blocking(fd, False)
            stack.callback(os.close, fd)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, -1)
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.signal(number, self._stop))

    def _stop(self, _number: int, _frame: object) -> None:
        self.came = True


def _listen_on_port(port: int) -> socket.socket:
    hint = "name another one: --port N; --port 0 takes any that is free"
    return _listener(socket.AF_INET, (_HERE, port), f"port {port} can't be used", hint)


def _listen_on_path(path: str) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise Refused(f"the path of the socket is too long: '{path}'")
    if (above := open_above(os.path.abspath(path))) is not None:
        words = f"anyone can replace the socket '{path}': '{above}' is world-writable"
        raise Refused(words, hint=f"chmod o-w '{above}', or chmod +t")
    _remove_dead(path)
    mask = os.umask(0o177)
    try:
        return _listener(socket.AF_UNIX, path, f"the socket '{path}' can't be made")
    finally:
        os.umask(mask)


def _listener(
    family: int, address: tuple[str, int] | str, problem: str, hint: str | None = None
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Conflict(f"{problem}: {(error.strerror or str(error)).lower()}", hint=hint) from error
    return listener


def _remove_dead(path: str) -> None:
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
            files.remove_file(path)
            return
    raise Conflict(f"another process serves on the socket '{path}' already")


def serve_pass(runtime: Runtime) -> None:
    """Serve until the executions of the pass end, even if it was killed; idle, half a minute."""
    told = _introduction()
    pass_id, secret = str(told["pass"]), bytes.fromhex(str(told["secret"]))
    tokens = RunTokens(secret, pass_id)
    service = Service(runtime, tokens, ROUTES, port=int(told["port"]))
    # The line to the pass ends with the pass, and is then watched no more.
    lifeline = [_LIFELINE_FD]
    os.set_blocking(_LIFELINE_FD, False)
    listeners = [socket.socket(fileno=LISTENER_FD)]
    server = Server(listeners, service.handle, knows=service.knows, wake=lifeline)
    busy_s = monotonic_s()
    with closing(server):
        while True:
            server.turn()
            if lifeline and _is_cut():
                lifeline.clear()
            if not server.is_idle:
                busy_s = monotonic_s()
            may_end = not lifeline or monotonic_s() - busy_s >= _REST_S
            if may_end and server.is_idle and not _has_work(runtime, pass_id, gone=not lifeline):
                return


def _introduction() -> dict[str, Any]:
    try:
        listens = stat.S_ISSOCK(os.fstat(LISTENER_FD).st_mode)
        told = json.loads(os.read(INTRODUCTION_FD, _LONGEST_INTRODUCTION)) if listens else None
        os.close(INTRODUCTION_FD)
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or not {"pass", "secret", "port"} <= told.keys():
        hint = "to serve the interface yourself: cuectl serve"
        raise UsageError("only a pass starts this command", hint=hint)
    return told


def _is_cut() -> bool:
    try:
        return not os.read(_LIFELINE_FD, 64)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _has_work(runtime: Runtime, pass_id: str, *, gone: bool) -> bool:
    """Tell whether a handler may call; of a pass that is gone, only one with a process can."""
    reader = open_reader(runtime.existing_store)
    live = Live(runtime.home, runtime.now())
    for name in reader.names("open"):
        try:
            record = reader.read(f"open/{name}") or {}
        except BadView:
            continue
        if record.get("pass_id") != pass_id:
            continue
        if not gone or live.of(record).get("reason") not in (ENDED, LOST, STARTS_AGAIN):
            return True
    return False
