"""What the records of runs, tasks and sessions leave out, and what they read again."""

from __future__ import annotations

import pytest

from cuectl.workflows.rules.records import (
    QueueTask,
    RunStatus,
    Session,
    TaskStatus,
    WorkflowRun,
    run_from_record,
    session_from_record,
    task_from_record,
)

AT = "2026-11-21T02:00:00Z"
AT_MS = 1_795_226_400_000


def test_a_run_leaves_out_what_has_no_value() -> None:
    run = WorkflowRun(
        id="run_1", workflow="hello", module="/m.py", cwd="/", created_at=AT_MS, started_at=AT_MS
    )
    assert run.to_record() == {
        "id": "run_1",
        "workflow": "hello",
        "module": "/m.py",
        "kwargs": {},
        "durable": False,
        "cwd": "/",
        "status": "running",
        "created_at": AT,
        "started_at": AT,
    }
    assert run_from_record(run.to_record()) == run


@pytest.mark.parametrize("result", [None, 0, False, "", [], {}, {"a": [1]}])
def test_a_run_that_succeeded_keeps_any_result(result: object) -> None:
    wait = {"kind": "time", "step": 3, "until": 5}
    run = WorkflowRun(
        id="run_1", workflow="hello", module="/m.py", cwd="/", created_at=AT_MS,
        started_at=AT_MS, ended_at=AT_MS, status=RunStatus.SUCCEEDED, result=result, waits=(wait,),
    )  # fmt: skip
    record = run.to_record()
    assert record["result"] == result
    assert record["waits"] == [wait]
    assert run_from_record({**record, "of_a_later_version": 1}) == run


def test_tasks_and_sessions_are_read_as_they_were_written() -> None:
    task = QueueTask(
        id="task_1", queue="q", payload="", number=1, status=TaskStatus.FAILED, error="",
        enqueued_at=AT_MS, ended_at=AT_MS,
    )  # fmt: skip
    assert task.to_record()["payload"] == ""
    assert task_from_record(task.to_record()) == task
    session = Session(handle="bot-1", agent="bot", turns=2, created_at=AT_MS, last_at=AT_MS)
    assert session.to_record() == {
        "handle": "bot-1", "agent": "bot", "turns": 2, "created_at": AT, "last_at": AT,
    }  # fmt: skip
    assert session_from_record(session.to_record()) == session


def test_a_record_without_its_status_is_refused() -> None:
    with pytest.raises(KeyError):
        task_from_record({"id": "task_1"})
