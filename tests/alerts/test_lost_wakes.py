"""What is noted while a process delivers is delivered, whatever its clock and who looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cuectl.alerts.delivery import LOCK_NAME, deliver
from cuectl.alerts.rules.ping import end_ping
from cuectl.executions.rules.record import Policy
from cuectl.store import home, paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.errors import LockTimeout
from tests.fixtures.past import a_cue, an_execution, succeeded
from tests.fixtures.receiver import Receiver

if TYPE_CHECKING:
    import pytest

    from cuectl.process.runtime import Runtime


def note_ping(runtime: Runtime, url: str, at: int) -> None:
    """Note a ping as a pass does whose clock shows `at`."""
    done = succeeded(an_execution(a_cue(policy=Policy(ping_url=f"{url}/check"))))
    ping = end_ping(replace(done, ended_at=at))
    assert ping is not None
    views: Views = {f"pings/{ping.id}.json": ping.to_record()}
    views[paths.marker(at, "p", ping.id)] = True
    with runtime.store.transaction(at) as tx:
        tx.stage(JournalEntry(type="ping.noted", set=views))


def test_what_a_pass_notes_while_a_slower_clock_delivers_is_not_left_lying(
    runtime: Runtime,
) -> None:
    """Regression: the end of a run waited for the next pass, and a test for it, in vain.

    A process that delivers has the clock that CUECTL_NOW gave its pass, less the time that it took
    to start: the pass found it at work and started no other, and it found nothing due yet.
    """
    with Receiver(200) as receiver:
        note_ping(runtime, receiver.url, runtime.now() + 400)
        assert deliver(runtime).pinged == 1
        assert len(receiver.requests) == 1


def test_who_only_looks_at_the_lock_does_not_keep_a_delivery_from_its_work(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a look takes the lock for an instant, and was taken for another delivery."""
    acquire, looks = home.acquire, [1, 2]

    def acquired(path: str, limit_s: float) -> int:
        if path.endswith(LOCK_NAME) and looks:
            looks.pop()
            raise LockTimeout("somebody looks")
        return acquire(path, limit_s)

    monkeypatch.setattr(home, "acquire", acquired)
    with Receiver(200) as receiver:
        note_ping(runtime, receiver.url, runtime.now())
        result = deliver(runtime)
    assert (result.pinged, result.running) == (1, False)
    assert looks == []
