"""Where a plan strikes, and which errors a kernel can give for which call."""

from __future__ import annotations

import errno

import pytest

from .operations import Kind, Op
from .plans import Action, Crash, Fail, Injector, plausible
from .syscalls import calls_by_number


def op(call: str, kind: Kind, path: str = "f", *, main: bool = True) -> Op:
    return Op(pid=1, main=main, call=call, kind=kind, path=path)


WRITE = op("write", Kind.DATA)
READ = op("read", Kind.READ)


def test_only_calls_of_the_watched_kinds_by_the_command_itself_count() -> None:
    injector = Injector(Crash(at=1))
    child = op("write", Kind.DATA, main=False)

    assert [injector.action(one) for one in (WRITE, READ, child, WRITE, WRITE)] == [
        Action.RUN,
        Action.RUN,
        Action.RUN,
        Action.KILL,
        Action.RUN,
    ]


def test_a_call_that_the_kernel_starts_again_counts_once() -> None:
    injector = Injector(Crash(at=1))
    injector.action(WRITE)
    injector.forget(WRITE)

    assert [injector.action(WRITE), injector.action(WRITE)] == [Action.RUN, Action.KILL]


def test_an_error_strikes_once_or_from_there_on() -> None:
    once = Injector(Fail(at=1, errno=errno.EIO))
    for_good = Injector(Fail(at=1, errno=errno.EIO, persist=True))

    assert [once.action(WRITE) is Action.FAIL for _ in range(4)] == [False, True, False, False]
    assert [for_good.action(WRITE) is Action.FAIL for _ in range(4)] == [False, True, True, True]


def test_a_short_write_is_followed_by_one_failing_write() -> None:
    injector = Injector(Fail(at=0, errno=errno.ENOSPC, short=True))
    sync = op("fsync", Kind.SYNC)

    assert [injector.action(one) for one in (WRITE, sync, WRITE, WRITE)] == [
        Action.SHORTEN,
        Action.RUN,
        Action.FAIL,
        Action.RUN,
    ]


@pytest.mark.parametrize(
    ("error", "call", "kind", "expected"),
    [
        (errno.ENOSPC, "write", Kind.DATA, True),
        (errno.ENOSPC, "fsync", Kind.SYNC, True),
        (errno.ENOSPC, "unlink", Kind.NAME, False),
        (errno.ENOSPC, "ftruncate", Kind.DATA, False),
        (errno.EMFILE, "openat", Kind.NAME, True),
        (errno.EMFILE, "openat", Kind.READ, True),
        (errno.EMFILE, "rename", Kind.NAME, False),
        (errno.EACCES, "rename", Kind.NAME, True),
        (errno.EACCES, "write", Kind.DATA, False),
        (errno.EAGAIN, "vfork", Kind.SPAWN, True),
        (errno.EAGAIN, "write", Kind.DATA, False),
        (errno.ENOLCK, "flock", Kind.LOCK, True),
        (errno.EIO, "read", Kind.READ, True),
        (errno.EIO, "flock", Kind.LOCK, False),
    ],
)
def test_an_error_is_plausible_only_where_a_kernel_gives_it(
    error: int, call: str, kind: Kind, expected: bool
) -> None:
    assert plausible(error, op(call, kind)) is expected


def test_both_machines_know_the_same_calls_but_for_the_old_forms() -> None:
    intel = {call.name for call in calls_by_number("x86_64").values()}
    arm = {call.name for call in calls_by_number("aarch64").values()}

    assert arm < intel
    assert {"openat", "renameat", "fdatasync", "clone3", "utimensat", "unlinkat"} <= arm
    assert calls_by_number("sparc") == {}
