"""Start a command that waits before its first instruction, so that a tracer can attach."""

from __future__ import annotations

import os
import signal
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_STARTED = 127


def start_waiting(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, streams: tuple[int, int, int]
) -> tuple[int, int]:
    """Fork a session leader that will execute `argv` when it is released.

    Args:
        argv: the command; its first word is looked up in the PATH of `env`.
        env: the whole environment.
        cwd: the working directory.
        streams: descriptors for the standard input, output and error.

    Returns:
        The process id, and a descriptor: closing it releases the command.
    """
    gate, release = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on a fork in a process with threads warns; the child only makes system calls.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.close(release)
            _become(argv, env, cwd, streams, gate)
        finally:
            os._exit(NOT_STARTED)
    os.close(gate)
    return pid, release


def _become(
    argv: Sequence[str], env: Mapping[str, str], cwd: str, streams: tuple[int, int, int], gate: int
) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # The interpreter ignores these, and what is ignored stays so over an execve.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.read(gate, 1)
    try:
        os.chdir(cwd)
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
