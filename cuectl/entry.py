"""Where the program starts. The idle pass is decided before anything else is imported.

No `from __future__` here and in `store/idle.py`: it is an import like any other.
"""

import os
import sys

_SEEDED = "CUECTL_SEEDED"
# Commands of workflows in which a procedure runs, or is replayed.
_PROCEDURES = frozenset(("run", "resume", "fork", "replay", "check"))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if sys.stdin is None or sys.stdout is None or sys.stderr is None:
            _open_missing_streams()
        status = _run(words)
        _flush()
    # The outermost frame, imports included: whatever happens becomes one line and a status.
    except BaseException as error:  # noqa: BLE001
        status = _failed(error, words)
    return status


def _run(words: list[str]) -> int:
    if words == ["run-due"]:
        from cuectl.store import idle

        home = idle.home_of(words)
        if home is not None and (idle.is_idle(home) or _is_quiet(home)):
            return 0
    if "PYTHONHASHSEED" not in os.environ or _SEEDED in os.environ:
        _fix_the_order_of_sets(words)
    import gc

    # A command ends before collecting its garbage would pay; a worker turns it on again.
    gc.disable()
    from cuectl.cli.frame import run

    return run.run(words)


def _fix_the_order_of_sets(words: list[str]) -> None:
    """Start once more where a procedure runs: sets of texts must have the same order each time."""
    if os.environ.pop(_SEEDED, None) is not None:
        # What turns and commands get is as it was.
        os.environ.pop("PYTHONHASHSEED", None)
    elif sys.orig_argv[-len(words) :] == words and (
        "workflow-execution" in words or ("workflow" in words and not _PROCEDURES.isdisjoint(words))
    ):
        seeded = {**os.environ, "PYTHONHASHSEED": "0", _SEEDED: "1"}
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, again, seeded)  # noqa: S606  (it is what runs already)


def _is_quiet(home: str) -> bool:
    """Tell whether nothing is due, and event sources and executors have nothing new."""
    from cuectl.store import idle

    looks = idle.looks(home)
    if not looks:
        return False
    import gc

    gc.disable()
    if "away" in looks:
        from cuectl.store import quiet_look

        if not quiet_look.finds_nothing(home):
            return False
    if "polls" in looks:
        from cuectl.events.sources.registry import find_nothing

        if not find_nothing(home):
            return False
    idle.leave_heartbeat(home)
    return True


def _failed(error: BaseException, words: list[str]) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    try:
        from cuectl.cli.frame import run

        status = run.report(error, words)
    # The line must come out even where nothing can be imported any more.
    except (OSError, ImportError, MemoryError):
        status = _plain_line(error, words)
    try:
        _flush()
    except (OSError, ValueError):
        status = status or 1
    return status


def _plain_line(error: BaseException, words: list[str]) -> int:
    number = error.errno if isinstance(error, OSError) else None
    text = os.strerror(number).lower() if number else type(error).__name__
    line = f"cuectl: error: {text}\n"
    if "--json" in words:
        line = (
            f'{{"type":"error","code":"failed","exit_status":1,"message":"{text}","hint":null}}\n'
        )
    try:
        os.write(2, line.encode())
    except OSError:
        return 1
    return 1


def _flush() -> None:
    """Flush stdout; an answer that could not be written is a failure.

    Raises OSError: it could not.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        # The interpreter flushes again at its end, and would complain a second time.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
        raise


def _open_missing_streams() -> None:
    """Open what the caller has closed, so that no file of the store gets number 0, 1 or 2.

    Standard output is opened for reading only: an answer that nobody can get is an error,
    while a command that prints nothing still works.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        if number == 1:
            read_only = os.open(os.devnull, os.O_RDONLY)
            os.dup2(read_only, 1)
            os.close(read_only)
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = _stream(0, "r", "surrogateescape")
    if sys.stdout is None:
        sys.stdout = _stream(1, "w", "backslashreplace")
    if sys.stderr is None:
        sys.stderr = _stream(2, "w", "backslashreplace")


def _stream(number: int, mode: str, errors: str):  # type: ignore[no-untyped-def]
    return open(number, mode, encoding="utf-8", errors=errors, closefd=False)
