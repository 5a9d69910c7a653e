"""Retries that a handler asks for; and how much of what a run prints is kept, and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

NOON = "2026-11-21T12:00:00Z"
NOT_GIVEN = "it asked for a retry, but "


def run(cuectl: Cuectl, cue: str, *, handlers: str = "") -> dict[str, Any]:
    """Run a cue of a file once, and return its execution."""
    cuectl.files({"cues.yaml": f"{handlers}cues:\n  job: {cue}\n"}).at(NOON)
    answer = cuectl.run("apply", "cues.yaml")
    assert answer.status == 0, answer
    cuectl.run("fire", "job")
    assert cuectl.run("run-due").status == 0
    return one(cuectl)


def one(cuectl: Cuectl) -> dict[str, Any]:
    """Return the only execution."""
    (found,) = cuectl.json("executions", "list")
    record: dict[str, Any] = found
    return record


def test_exit_75_is_tried_again_within_the_retries(cuectl: Cuectl) -> None:
    found = run(cuectl, "{shell: 'exit 75', retry: {max_attempts: 2, on: [timed_out]}}")
    assert (found["status"], found["reason"], found["attempt"]) == ("waiting", "retry", 2)

    cuectl.at("2026-11-21T12:02:00Z").run("run-due")
    found = one(cuectl)
    assert found["status"] == "failed"
    assert found["reason"] == f"exit status 75; {NOT_GIVEN}no retries are left"


def test_the_pass_and_the_alert_say_that_a_retry_was_not_given(cuectl: Cuectl) -> None:
    found = run(cuectl, "{shell: 'exit 75', alert_after: 1}")

    reason = f"exit status 75; {NOT_GIVEN}the cue has no retries"
    assert (found["status"], found["reason"]) == ("failed", reason)
    (alert,) = cuectl.json("alerts", "list")
    assert f"{NOT_GIVEN}the cue has no retries" in alert["message"]


def test_a_report_asks_for_a_retry_after_a_time_of_its_own(cuectl: Cuectl) -> None:
    script = "cuectl report --retry-in 10m --summary 'the printer is off'"
    found = run(cuectl, f'{{shell: "{script}", retry: {{for: 1h, backoff: [1m]}}}}')

    assert found["status"] == "waiting"
    assert found["due_at"].startswith("2026-11-21T12:10:")
    assert found["attempts"][0]["summary"] == "the printer is off"
    assert found["attempts"][0]["retry_in_s"] == 600
    cuectl.at("2026-11-21T12:51:00Z").run("run-due")
    assert one(cuectl)["reason"] == (
        f"the outcome says that it failed; {NOT_GIVEN}"
        "it would start more than 1h after the first attempt"
    )


def test_a_handler_says_which_statuses_are_worth_a_retry(cuectl: Cuectl) -> None:
    handlers = (
        "handlers:\n  scrape: {cmd: 'exit $CODE', retry_on_exit: [75, 111], env: "
        "{CODE: '{{ payload.code }}'}}\n"
    )
    cue = "{task: scrape, payload: {code: 111}, retry: {max_attempts: 2}}"
    assert run(cuectl, cue, handlers=handlers)["status"] == "waiting"


@pytest.mark.parametrize(
    ("policy", "code", "status"),
    [
        ("retry_on_exit: 111", 1, "failed"),
        ("retry_on_exit: [111]", 111, "waiting"),
        ("never_retry_on_exit: [2]", 2, "failed"),
        ("never_retry_on_exit: [2]", 1, "waiting"),
    ],
)
def test_exit_statuses_decide_on_retries(
    cuectl: Cuectl, policy: str, code: int, status: str
) -> None:
    cue = f"{{shell: 'exit {code}', retry: {{max_attempts: 2}}, {policy}}}"
    assert run(cuectl, cue)["status"] == status


def test_success_and_a_wish_for_a_retry_exclude_each_other(cuectl: Cuectl) -> None:
    cuectl.run("report", "--success", "--retry-in", "1m").fails(
        2, "'--success' and '--retry-in' exclude each other"
    )


def test_the_policy_reads_as_it_is_written(cuectl: Cuectl) -> None:
    retry = "{max_attempts: 3, backoff: [1m, 5m], jitter: 20%, cap: 4m, for: 2h}"
    output = "{keep: 7d, limit: 50MB, on_success: none}"
    cue = f"{{shell: 'true', retry: {retry}, output: {output}, retry_on_exit: [75, 111]}}"
    run(cuectl, cue)

    expected = {
        "retry_jitter": 0.2, "retry_cap_s": 240, "retry_for_s": 7200, "retry_on_exit": [75, 111],
        "output_keep_s": 604800, "output_limit": 50_000_000, "output_on_success": "none",
    }  # fmt: skip
    assert cuectl.json("get", "job")["policy"].items() >= expected.items()
    assert cuectl.run("diff", "cues.yaml").stdout == ""


@pytest.mark.parametrize(
    ("cue", "words"),
    [
        ("retry_on_exit: [0]", "'retry_on_exit' in cue 'job': '0' is no exit status"),
        ("output: {limit: 5}", "'limit' in 'output' of cue 'job': '5' is no size"),
        ("output: {keep: x}", "'keep' in 'output' of cue 'job': 'x' is not a span of time"),
        ("output: {on_success: some}", "must be keep or none, not 'some'"),
        ("retry: {jitter: 20, for: 1h}", "'jitter' in 'retry' of cue 'job': '20' is no share"),
        ("retry: {jitter: 5%}", "'retry' of cue 'job' has no 'max_attempts'"),
    ],
)
def test_what_a_policy_can_not_mean(cuectl: Cuectl, cue: str, words: str) -> None:
    cuectl.files({"cues.yaml": f"cues:\n  job: {{shell: 'true', {cue}}}\n"}).at(NOON)

    answer = cuectl.run("apply", "cues.yaml")
    assert answer.status == 7
    assert words in answer.stderr


# --- output -----------------------------------------------------------------------------------


def test_a_limit_is_told_in_the_output(cuectl: Cuectl) -> None:
    found = run(cuectl, "{shell: 'echo first; seq 2000; echo last', output: {limit: 1kB}}")

    text = cuectl.run("executions", "output", found["id"]).stdout
    assert text.startswith("first\n1\n")
    assert "[cuectl: 7904 bytes left out here]" in text
    assert text.endswith("2000\nlast\n")
    assert len(text) < 1100


def test_nothing_is_kept_of_a_success_and_that_is_told(cuectl: Cuectl) -> None:
    found = run(cuectl, "{shell: 'echo fine', output: {on_success: none}}")

    assert found["status"] == "succeeded"
    cuectl.run("executions", "output", found["id"]).gives(
        "[cuectl: 5 bytes were not kept (output: on_success: none)]\n"
    )


def test_a_failure_keeps_its_output(cuectl: Cuectl) -> None:
    found = run(cuectl, "{shell: 'echo bad; exit 1', output: {on_success: none}}")

    cuectl.run("executions", "output", found["id"]).gives("bad\n")


@pytest.mark.parametrize(
    ("keep", "at", "is_there"),
    [
        ("keep: 2d", "2026-11-22T12:00:00Z", True),
        ("keep: 2d", "2026-11-24T12:00:00Z", False),
        ("keep: 60d", "2027-01-10T12:00:00Z", True),
        ("on_success: keep", "2027-01-10T12:00:00Z", False),
    ],
)
def test_output_is_kept_for_a_time_of_its_own(
    cuectl: Cuectl, state: StoreState, keep: str, at: str, *, is_there: bool
) -> None:
    """File times are the machine's, so they are put to where the store's clock is."""
    import os

    from cuectl.values.times import from_text

    run(cuectl, f"{{shell: 'echo kept', output: {{{keep}}}}}")
    for path in (cuectl.home / "runs").glob("*/*"):
        os.utime(path, ns=(from_text(NOON) * 1_000_000,) * 2)
    assert cuectl.at(at).run("gc").status == 0

    assert bool(list((cuectl.home / "runs").glob("*/*.out"))) == is_there
