"""Which further process an attempt gets, and what is said of a call that came to nothing."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, cast

import pytest

from cuectl.executions import webhook_call
from cuectl.executions.effects import ExecutionEnd, Step
from cuectl.executions.rules.record import Phase, Policy
from cuectl.executions.rules.verification import OutcomeState, VerificationMode
from cuectl.executions.settle import start_checker
from tests.executions.test_attempt_end import an_end, an_execution

if TYPE_CHECKING:
    from cuectl.executions.rules.record import Ended

NOBODY = cast("Any", None)


@pytest.mark.parametrize(
    ("ended", "outcome_state"),
    [
        # A report that came from elsewhere; the end of the checker itself; nothing to decide.
        (None, OutcomeState.VERIFICATION_PENDING),
        (an_end(phase=Phase.CHECK), OutcomeState.VERIFICATION_PENDING),
        (an_end(), OutcomeState.REPORTED_SUCCESS),
    ],
)
def test_a_checker_is_not_started(ended: Ended | None, outcome_state: OutcomeState) -> None:
    policy = Policy(verification=VerificationMode.COMMAND)
    done = an_execution(outcome_state=outcome_state.value, policy=policy)
    end = ExecutionEnd(execution=done, step=Step.OVER, ended=ended)

    assert start_checker(NOBODY, end, NOBODY) is None


def test_a_person_is_not_asked_by_a_command() -> None:
    policy = Policy(verification=VerificationMode.MANUAL)
    waiting = OutcomeState.VERIFICATION_PENDING.value
    end = ExecutionEnd(
        execution=an_execution(outcome_state=waiting, policy=policy), step=Step.OVER, ended=an_end()
    )

    assert start_checker(NOBODY, end, NOBODY) is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ssl.SSLCertVerificationError(1, "no"), "the certificate is not valid: "),
        (ConnectionRefusedError(111, "Connection refused"), "no answer: Connection refused"),
        (ValueError("odd"), "no answer: ValueError"),
    ],
)
def test_a_call_that_got_no_answer_says_why(
    monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise error

    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
        text += "self-signed certificate"
    monkeypatch.setattr(webhook_call, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(webhook_call, "connected", refuse)
    answer = webhook_call._call({"url": "https://hook.example/"}, {}, b"")

    assert (answer.status, answer.text) == (None, text)
