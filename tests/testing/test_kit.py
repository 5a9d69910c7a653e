"""The kit for tests of workflows: fakes, a time that costs none, replays, other orders."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.testing import Kit, Turn, Unexpected
from cuectl.workflow import (
    ChildFailed,
    HistoryMismatch,
    StepFailed,
    TimedOut,
    WorkflowError,
    workflow,
)
from cuectl.workflows.catalogue import REGISTERED
from cuectl.workflows.rules.history import NotDurable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAR = 86_400.0


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


async def fix(engine: Any, *, plan: str, tries: int = 3) -> str:
    """Let an agent work until the tests pass."""
    handle, done = await engine.spawn("worker"), None
    for attempt in range(tries):
        engine.send(handle, f"{plan}, {attempt}")
        messages = await engine.drain(handle)
        engine.progress(attempt, tries)
        done = await engine.bash("pytest -q")
        if done.returncode == 0:
            engine.log(f"green after {attempt + 1}: {messages[-1].status}")
            engine.set("attempts", attempt + 1)
            await engine.close(handle)
            return f"green: {done.stdout}"
    raise WorkflowError(f"still red: {done.stdout if done else ''}")


def test_a_run_meets_what_was_told() -> None:
    kit = Kit()
    kit.agent("worker", replies=["tests written", Turn(error="rate limit"), "fixed"])
    kit.bash("pytest*", exits=[1, 1, 0], stdout=["1 failed", "2 failed", "3 passed"])
    run = kit.run(fix, plan="inbox")
    assert (run.status, run.result, run.error) == ("succeeded", "green: 3 passed", None)
    assert (run.turns, run.turns_failed, run.turns_interrupted) == (3, 1, 0)
    assert run.log == ["green after 3: ok"]
    assert run.values == {"attempts": 3}
    assert run.calls[:3] == [
        'spawn(agent="worker")',
        'send(handle="worker-1", text="inbox, 0")',
        'bash(cmd="pytest -q")',
    ]
    run.check_replay()


def test_a_run_that_fails_says_why_and_others_raise() -> None:
    async def breaks(engine: Any) -> None:
        await engine.bash("x")
        raise KeyError("missing")

    kit = Kit()
    kit.agent("worker")
    kit.bash("*", exits=1, stdout="red")
    run = kit.run(fix, plan="x", tries=2)
    assert (run.status, run.error, run.result) == ("failed", "still red: red", None)
    run.check_replay()
    with pytest.raises(KeyError, match="missing"):
        kit.run(breaks)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("", "the test has not told what comes of 'worker': say .agent('worker', ...)"),
        ("agent", "the test has not told what comes of 'pytest -q': say .bash('pytest -q', ...)"),
        ("both", ".bash('pytest*', ...) has told of 2, and here is one more"),
    ],
)
def test_what_was_not_told_fails_the_test_whatever_the_procedure_catches(
    told: str, message: str
) -> None:
    async def careless(engine: Any) -> str:
        try:
            return await fix(engine, plan="x")
        except BaseException:  # noqa: BLE001
            return "caught"

    kit = Kit()
    if told:
        kit.agent("worker")
    if told == "both":
        kit.bash("pytest*", exits=[1, 1])
    with pytest.raises(Unexpected) as caught:
        kit.run(careless)
    assert str(caught.value) == message


def test_answers_may_be_functions_and_the_last_told_counts() -> None:
    async def talk(engine: Any) -> list[str]:
        handle = await engine.spawn("poet", handle="p")
        return [await engine.send(handle, text) for text in ("one", "two")]

    kit = Kit()
    kit.agent("*", "never")
    kit.agent("poet", lambda prompt, turn, session: f"{session} {turn}: {prompt}")
    run = kit.run(talk)
    assert run.result == ["p 1: one", "p 2: two"]
    run.check_replay()


def test_people_queues_steps_and_other_workflows() -> None:
    async def all_of_it(engine: Any) -> list[Any]:
        failed = broken = ""
        said = await engine.ask_human("ship it?", options=["yes", "no"])
        done = await engine.delegate("chores", "wash")
        try:
            await engine.delegate("chores", "burn")
        except WorkflowError as error:
            failed = str(error)
        child = await engine.run_workflow("double", {"n": 4})
        try:
            await engine.run_workflow("broken")
        except ChildFailed as error:
            broken = str(error)
        return [said, done, failed, child, broken]

    kit = Kit()
    kit.answer("ship*", "yes")
    kit.queue("chores", lambda text: WorkflowError("no fire") if text == "burn" else f"did {text}")
    kit.child("double", lambda kwargs: 2 * kwargs["n"])
    kit.child("broken", ValueError("x"))
    run = kit.run(all_of_it)
    assert run.result == ["yes", "did wash", "no fire", 8, "ValueError: x"]
    run.check_replay()


def fetch(name: str) -> dict[str, int]:
    """Do what a test must never do."""
    raise AssertionError(name)


def test_steps_are_not_done_but_told() -> None:
    async def fetches(engine: Any) -> list[Any]:
        found = await engine.step(fetch, "x")
        try:
            await engine.step(fetch, "y", name="other")
        except StepFailed as error:
            return [found, error.type, error.message]
        return []

    kit = Kit()
    kit.step(fetch, {"n": 1})
    kit.step("other", raises=OSError("no network"))
    run = kit.run(fetches)
    assert run.result == [{"n": 1}, "OSError", "no network"]
    run.check_replay()


def test_a_run_that_returns_a_failed_turn_has_failed_in_tests_too() -> None:
    async def trusts(engine: Any) -> Any:
        handle = await engine.spawn("worker")
        engine.send(handle, "x")
        return (await engine.drain(handle))[-1].body

    kit = Kit()
    kit.agent("worker", Turn(error="rate limit", cost_usd=0.03))
    run = kit.run(trusts)
    assert (run.status, run.turns_failed, run.cost_usd) == ("failed", 1, 0.03)
    kit.agent("worker", Turn(interrupted=True))
    assert kit.run(trusts).status == "interrupted"


def test_an_answer_that_was_not_offered_is_an_error_of_the_test() -> None:
    async def asks(engine: Any) -> Any:
        return await engine.ask_human("ship it?", options=["yes", "no"])

    kit = Kit()
    kit.answer("*", "maybe")
    with pytest.raises(Unexpected, match="'maybe' is no answer to 'ship it\\?': yes, no"):
        kit.run(asks)


def test_days_take_no_time() -> None:
    async def patient(engine: Any) -> list[Any]:
        begun, said = engine.now(), ""
        await engine.sleep(FAR)
        try:
            await engine.ask_human("anybody?", timeout=FAR)
        except TimedOut as error:
            said = str(error)
        try:
            await asyncio.wait_for(engine.bash("make"), 60)
        except TimeoutError:
            return [begun, engine.now(), said]
        return []

    kit = Kit()
    kit.answer("anybody?", None)
    kit.bash("make", takes=FAR)
    run = kit.run(patient)
    said = "ask_human has taken longer than 86400 s"
    assert run.result == ["2026-01-01T00:00:00Z", "2026-01-03T00:01:00Z", said]
    run.check_replay()


def test_a_run_that_can_never_end_fails_the_test() -> None:
    async def stuck(engine: Any) -> None:
        await engine.wait_event("deploy.done")

    with pytest.raises(Unexpected) as caught:
        Kit().run(stuck)
    said = 'the workflow waits, and nothing is to come: wait_event(type="deploy.done")'
    assert str(caught.value) == said


def test_events_come_in_their_time_each_once() -> None:
    async def hears(engine: Any) -> list[Any]:
        found = [await engine.wait_event("deploy.done") for _ in range(2)]
        prod = await engine.wait_event("deploy.done", where={"env": "prod"})
        fresh = await engine.wait_event("deploy.done", since="now")
        return [each["data"]["n"] for each in (*found, prod, fresh)]

    kit = Kit()
    kit.event("deploy.done", {"n": 1, "env": "test"})
    kit.event("deploy.other", {"n": 2, "env": "prod"})
    kit.event("deploy.done", {"n": 3, "env": "prod"}, after=FAR)
    kit.event("deploy.done", {"n": 4}, after=2 * FAR)
    run = kit.run(hears)
    assert run.result == [1, 3, 3, 4]
    run.check_replay()


def test_turns_of_a_session_come_one_after_the_other_and_close_ends_them() -> None:
    async def impatient(engine: Any) -> list[Any]:
        handle = await engine.spawn("slow")
        sent = [engine.send(handle, text) for text in "ab"]
        await engine.sleep(15)
        await engine.close(handle)
        return [each.message.status for each in sent]

    kit = Kit()
    kit.agent("slow", takes=10)
    run = kit.run(impatient)
    assert run.result == ["ok", "error"]
    run.check_replay()


def test_the_session_that_asks_may_be_talked_to() -> None:
    async def asks_back(engine: Any) -> Any:
        return [await engine.send(engine.caller_handle, "why?"), engine.list_agents()]

    kit = Kit(caller="boss")
    kit.agent("boss", "because")
    assert kit.run(asks_back).result == ["because", ["boss"]]


COUNTER: list[int] = []


def test_what_a_replay_cannot_know_is_found() -> None:
    async def remembers(engine: Any) -> int:
        COUNTER.append(1)
        await engine.bash(f"echo {len(COUNTER)}")
        return len(COUNTER)

    async def returns_it(engine: Any) -> int:
        COUNTER.append(1)
        await engine.bash("true")
        return len(COUNTER)

    kit = Kit()
    kit.bash("*")
    COUNTER.clear()
    with pytest.raises(HistoryMismatch) as caught:
        kit.run(remembers).check_replay()
    said = 'line 2: call 1 was bash(cmd="echo 1") and is now bash(cmd="echo 2")'
    assert str(caught.value) == said
    COUNTER.clear()
    with pytest.raises(HistoryMismatch, match="line 4: the result was 1 and is now 2"):
        kit.run(returns_it).check_replay()


def test_a_kill_between_two_lines_is_tried_too() -> None:
    """The whole history replays; only a later process, which begins in its middle, differs."""

    async def third_time(engine: Any) -> None:
        COUNTER.append(1)
        await engine.bash("one")
        await engine.bash("two" if len(COUNTER) < 3 else "other")

    kit = Kit()
    kit.bash("*")
    COUNTER.clear()
    run = kit.run(third_time)
    with pytest.raises(HistoryMismatch) as caught:
        run.check_replay()
    assert str(caught.value).startswith("killed behind line 1, the run goes another way: line 4 ")
    assert "'cmd': 'two'" in str(caught.value).partition(" and is now ")[0]


async def race(engine: Any) -> list[str]:
    """Note which of three commands is over first, and fail where that is the last."""
    order: list[str] = []

    async def one(name: str) -> None:
        await engine.bash(name)
        order.append(name)

    await engine.parallel([one(name) for name in "abc"])
    await asyncio.wait([asyncio.ensure_future(one(name)) for name in "xyz"], timeout=60)
    return order


def test_other_orders_are_tried_and_each_replays() -> None:
    kit = Kit()
    kit.bash("*")
    assert kit.run(race).result == list("abcxyz")
    runs = kit.shuffle(race, rounds=60)
    orders = {"".join(run.result) for run in runs}
    assert len({order[:3] for order in orders}) == 6
    assert all(sorted(order) == list("abcxyz") for order in orders)
    assert [run.result for run in kit.shuffle(race, rounds=60)] == [run.result for run in runs]
    runs[7].check_replay()


def test_a_fault_of_one_order_is_told_with_its_round() -> None:
    async def trusts(engine: Any) -> None:
        if (await race(engine))[0] == "c":
            raise RuntimeError("c was first")

    kit = Kit()
    kit.bash("*")
    kit.run(trusts)
    with pytest.raises(RuntimeError, match="c was first") as caught:
        kit.shuffle(trusts, rounds=60)
    assert caught.value.__notes__[0].startswith("in round ")


def test_a_saved_history_is_replayed_by_the_name_of_its_workflow(tmp_path: Path) -> None:
    made = [0]

    @workflow
    async def saved(engine: Any, *, n: int) -> int:
        await engine.bash(f"echo {n + made[0]}")
        return n

    kit = Kit()
    kit.bash("*")
    kit.run(saved, n=3).save(tmp_path / "run.jsonl")
    Kit().replay(tmp_path / "run.jsonl")
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [1, 2, 3, 4]
    made[0] = 1
    with pytest.raises(HistoryMismatch) as caught:
        Kit().replay(tmp_path / "run.jsonl")
    assert str(caught.value).startswith('line 2: call 1 was bash(cmd="echo 3") and is now')


def test_a_workflow_that_does_more_or_less_than_its_history_does_not_fit() -> None:
    steps = ["one", "two"]

    async def works(engine: Any) -> None:
        for step in steps:
            await engine.bash(step)

    kit = Kit()
    kit.bash("*")
    history = kit.run(works).history
    kit.replay(history, works)
    # A run that is not over may go on with what is new.
    steps.append("three")
    kit.replay(history[:-1], works)
    said = 'line 6: the run was over here and continues now with bash.cmd="three".'
    with pytest.raises(HistoryMismatch, match=said):
        kit.replay(history, works)
    steps[1:] = []
    with pytest.raises(HistoryMismatch, match=r'call 2 was bash.*"two".* and is not made'):
        kit.replay(history, works)


def test_what_cannot_be_repeated_is_refused_in_tests_too() -> None:
    async def threads(engine: Any) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotDurable, match="is not recorded"):
        Kit().run(threads)


def test_chance_and_ids_are_those_of_the_history() -> None:
    async def dices(engine: Any) -> list[Any]:
        first = [engine.random(), engine.uuid()]
        await engine.bash("x")
        return [*first, engine.random(), [one.handle for one in engine.list_sessions()]]

    kit = Kit()
    kit.bash("*")
    run = kit.run(dices)
    assert run.result[0] != run.result[2]
    run.check_replay()
    assert kit.run(dices).result == run.result


def test_a_procedure_that_is_left_does_not_clean_up_in_the_middle_of_others(
    cue_workflow: Kit,
) -> None:
    cleaned = []

    @workflow
    async def left(engine: Any) -> None:
        try:
            await engine.bash("nobody has told of this")
        finally:
            cleaned.append(1)

    with pytest.raises(Unexpected):
        cue_workflow.run(left)
    gc.collect()
    assert cleaned == []
