"""What is asked of every executor: its side for passes, moved with a hand that works for it.

A `Hand` is what differs: how the thing that was published is taken, lives, and ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.executions.rules.wire import RemoteStart, travelling

if TYPE_CHECKING:
    from cuectl.executions.executors.remote import RemoteExecutor

_FAR = 4_000_000_000_000


def start(number: int = 1) -> RemoteStart:
    """Return something to start."""
    identity = f"exec_00000000000000000000000{number}"
    execution = Execution(
        id=identity,
        cue_id="cue_1",
        cue_name="one",
        status=ExecutionStatus.QUEUED,
        scheduled_for=0,
        root_id=identity,
        target={"type": "command", "argv": ["true"]},
        payload={"n": number},
    )
    return RemoteStart(
        execution=travelling(execution),
        store_id="s",
        epoch="e",
        executor="farm",
        timeout_s=60.0,
        start_by=_FAR,
    )


class Hand(ABC):
    """One executor, and the hand that does what its workers do."""

    executor: RemoteExecutor

    @abstractmethod
    def take(self) -> list[str]:
        """Take what may be started; return the keys that were started now."""

    @abstractmethod
    def end(self, key: str) -> None:
        """Let a run end with the exit status 3."""

    @abstractmethod
    def is_asked_to_end(self, key: str) -> bool:
        """Tell whether a worker would learn that a tree is to be ended."""

    @abstractmethod
    def is_kept(self, key: str) -> bool:
        """Tell whether a worker must still keep what came of a run."""


class ExecutorPromises:
    """The suite; a subclass gives `hand`, which keeps no promise of its own."""

    def test_a_key_starts_once_however_often_it_is_published(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None), (one, None)])
        first = hand.take()
        hand.executor.publish([(one, None)])

        assert (first, hand.take()) == ([one.key], [])

    def test_what_was_withdrawn_never_starts(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])

        assert hand.executor.withdraw(one.key)
        assert hand.take() == []
        assert hand.executor.look([one.key])[0].is_withdrawn

    def test_what_has_started_is_not_withdrawn(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])
        hand.take()

        assert not hand.executor.withdraw(one.key)
        assert hand.executor.look([one.key])[0].is_started

    def test_a_withdrawal_may_be_asked_for_again(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])

        assert hand.executor.withdraw(one.key)
        assert hand.executor.withdraw(one.key)

    def test_each_key_is_seen_as_it_is_in_one_look(self, hand: Hand) -> None:
        waits, runs, ended = (start(number) for number in (1, 2, 3))
        hand.executor.publish([(runs, None), (ended, None)])
        hand.take()
        hand.end(ended.key)
        hand.executor.publish([(waits, None)])
        seen = hand.executor.look([waits.key, runs.key, ended.key, "exec_none.1"])

        assert [one.is_started for one in seen] == [False, True, True, False]
        assert [one.end is not None for one in seen] == [False, False, True, False]
        assert seen[1].beats

    def test_an_end_is_there_until_it_is_taken(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])
        hand.take()
        hand.end(one.key)
        first, again = (hand.executor.look([one.key])[0].end for _ in range(2))
        kept = hand.is_kept(one.key)
        hand.executor.take([one.key])

        assert first == again
        assert first is not None
        assert (first.key, first.ended.exit_code) == (one.key, 3)
        assert (kept, hand.is_kept(one.key)) == (True, False)
        assert hand.executor.look([one.key])[0].end is None

    def test_what_was_taken_does_not_start_again(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])
        hand.take()
        hand.end(one.key)
        hand.executor.take([one.key])
        hand.executor.publish([(one, None)])

        assert hand.take() == []

    def test_a_worker_learns_that_a_tree_is_to_be_ended(self, hand: Hand) -> None:
        one = start()
        hand.executor.publish([(one, None)])
        hand.take()
        before = hand.is_asked_to_end(one.key)
        hand.executor.cancel(one.key)

        assert (before, hand.is_asked_to_end(one.key)) == (False, True)

    def test_a_word_that_was_left_is_remembered(self, hand: Hand) -> None:
        hand.executor.set_epoch("s", "word")

        assert hand.executor.epoch("s") == "word"
        assert hand.executor.epoch("other") is None
