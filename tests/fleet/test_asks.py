"""What a handler elsewhere asks for is made once, however often it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.cues.asks import ask_for_child, make_asked
from cuectl.cues.lookup import find_cue
from cuectl.cues.rules.draft import CueDraft
from cuectl.cues.rules.record import parent_from
from cuectl.executions.effects import Effects
from cuectl.executions.lookup import get_execution
from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Runtime
from cuectl.store.fleet_files import ASKS_VARIABLE, read_asks
from cuectl.values.errors import CuectlError, Refused
from tests.fixtures.passing import a_cue, fired

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.executions.rules.record import Execution
    from tests.conftest import ManualClock


@pytest.fixture
def execution(runtime: Runtime) -> Execution:
    a_cue(runtime)
    return get_execution(runtime, fired(runtime))


def commit(runtime: Runtime, parent: Execution, asks: list[dict[str, Any]]) -> list[str]:
    """Make what was asked for, each in a group of its own; return what could not be made."""
    problems = []
    for ask in asks:
        try:
            with runtime.store.transaction(runtime.now()) as tx:
                effects = Effects(now=tx.now, random=runtime.random, reactions=lambda: REACTIONS)
                make_asked(tx, parent, ask, effects)
        except CuectlError as error:
            problems.append(error.message)
    return problems


class Handler:
    """Calls of one attempt of an execution on another machine, where there is no store."""

    def __init__(
        self, folder: Path, execution: Execution, clock: ManualClock, attempt: int
    ) -> None:
        self.path = folder / f"asks.{attempt}"
        environment = {
            "CUE_EXECUTION_ID": execution.id,
            "CUE_CHAIN_ROOT": execution.root_id,
            "CUE_CHAIN_DEPTH": str(execution.depth),
            "CUE_ATTEMPT": str(attempt),
            "TZ": "Europe/Berlin",
            ASKS_VARIABLE: str(self.path),
        }
        self.runtime = Runtime(home=str(folder / "none"), environment=environment, clock=clock)

    def chain(self, draft: CueDraft, **given: Any) -> tuple[str, bool]:
        given = {"when": None, "key": None, "delay_s": None} | given
        made = ask_for_child(self.runtime, parent_from(self.runtime.environment), draft, **given)
        return made.cue.id, made.is_new

    def asks(self) -> list[dict[str, Any]]:
        return read_asks(str(self.path))


def test_asks_become_cues_once(
    runtime: Runtime, execution: Execution, clock: ManualClock, tmp_path: Path
) -> None:
    handler = Handler(tmp_path, execution, clock, 1)
    asked = {
        "by key": handler.chain(CueDraft(task="a", payload={"n": [1]}), key="k"),
        "again": handler.chain(CueDraft(task="b"), key="k"),
        "by name": handler.chain(CueDraft(name="second", argv=("echo", "x"), cwd="/there")),
        "by number": handler.chain(CueDraft(task="c", cron="0 2 * * *")),
        "later": handler.chain(CueDraft(task="d", policy={"timeout_s": 5.0}), when="always"),
    }
    assert asked["again"] == (asked["by key"][0], False)
    assert len(handler.asks()) == 4
    # Half a line of a process that was killed stands in nobody's way.
    with handler.path.open("ab") as file:
        file.write(b'\n{"identity": "torn')
    fourth = handler.chain(CueDraft(task="e", in_s=60.0))
    clock.advance(3600)
    for _ in range(3):
        assert commit(runtime, execution, handler.asks()) == []
    with runtime.store.transaction(runtime.now()) as tx:
        cues = {what: find_cue(tx, one[0])[0] for what, one in asked.items()}
        late = find_cue(tx, fourth[0])[0]
        made = [name for name in tx.names("cues") if name.count(".") == 1]
    assert len(made) == 1 + 5
    assert {one.origin.parent for one in cues.values()} == {execution.id}
    assert cues["by key"].payload == {"n": [1]}
    assert cues["by name"].target == {"type": "command", "argv": ["echo", "x"]}
    assert cues["by number"].trigger["timezone"] == "Europe/Berlin"
    assert cues["later"].origin.when == "always"
    assert cues["later"].policy.timeout_s == 5.0
    # Its time has passed on the way here.
    assert late.trigger["at"] == "2026-11-21T03:00:00Z"
    assert handler.asks()[-1]["draft"]["at"] == "2026-11-21T02:01:00Z"


def test_a_second_attempt_has_the_children_of_the_first(
    runtime: Runtime, execution: Execution, clock: ManualClock, tmp_path: Path
) -> None:
    first, second = (Handler(tmp_path, execution, clock, number) for number in (1, 2))
    draft = CueDraft(name="next", task="a")
    assert first.chain(draft)[0] == second.chain(draft)[0]
    assert first.chain(CueDraft(task="b"))[0] != second.chain(CueDraft(task="b"))[0]
    assert commit(runtime, execution, [*first.asks(), *second.asks()]) == []
    with runtime.store.transaction(runtime.now()) as tx:
        assert len([name for name in tx.names("cues") if name.count(".") == 1]) == 1 + 3


def test_what_can_not_be_made_is_told_and_stops_nothing(
    runtime: Runtime, execution: Execution, clock: ManualClock, tmp_path: Path
) -> None:
    handler = Handler(tmp_path, execution, clock, 1)
    a_cue(runtime, "taken")
    handler.chain(CueDraft(name="taken", task="a"))
    second, _ = handler.chain(CueDraft(name="free", task="a"))
    (problem,) = commit(runtime, execution, handler.asks())
    assert "'taken'" in problem
    with runtime.store.transaction(runtime.now()) as tx:
        assert find_cue(tx, "free")[0].id == second
    deep = Handler(tmp_path, execution, clock, 9)
    deep.runtime = Runtime(
        home="/none", environment={**deep.runtime.environment, "CUE_CHAIN_DEPTH": "16"}, clock=clock
    )
    with pytest.raises(Refused, match="16 deep"):
        deep.chain(CueDraft(task="a"))
