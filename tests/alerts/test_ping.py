"""What a monitor hears, and where."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import Delivery, DeliveryStatus
from cuectl.alerts.rules.ping import (
    Ping,
    PingKind,
    address,
    check_address,
    end_ping,
    ping_from_record,
    start_ping,
)
from cuectl.executions.rules.record import FINAL, NEVER_STARTED, Execution, ExecutionStatus, Policy
from cuectl.executions.rules.verification import OutcomeState
from cuectl.values.errors import UsageError

URL = "https://hc-ping.com/uuid"


def execution(
    status: ExecutionStatus, word: OutcomeState | None = None, **more: object
) -> Execution:
    fields: dict[str, object] = {
        "id": "exec_01m7xx9x80gsg035qythzpzx",
        "cue_id": "cue_c7wyr0zm8wnd",
        "cue_name": "job",
        "status": status,
        "outcome_state": word.value if word else None,
        "scheduled_for": 1_000,
        "triggered_by": "schedule",
        "root_id": "exec_01m7xx9x80gsg035qythzpzx",
        "target": {"type": "manual"},
        "policy": Policy(ping_url=URL),
    } | more
    return Execution(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize("word", OutcomeState)
def test_success_is_pinged_only_for_what_is_believed(
    status: ExecutionStatus, word: OutcomeState
) -> None:
    found = end_ping(execution(status, word, ended_at=5_000, exit_code=0))

    if status in NEVER_STARTED or word is OutcomeState.VERIFICATION_PENDING:
        assert found is None
        return
    believed = word in (OutcomeState.REPORTED_SUCCESS, OutcomeState.VERIFIED_SUCCESS)
    good = status is ExecutionStatus.SUCCEEDED and believed
    assert found is not None
    assert found.kind is (PingKind.SUCCESS if good else PingKind.FAIL)


def test_nobody_hears_of_a_cue_without_an_address() -> None:
    silent = execution(ExecutionStatus.FAILED, policy=Policy())

    assert start_ping(silent) is None
    assert end_ping(silent) is None


@pytest.mark.parametrize(
    ("kind", "code", "where"),
    [
        (PingKind.START, None, "/start"),
        (PingKind.SUCCESS, 0, ""),
        (PingKind.FAIL, 3, "/3"),
        (PingKind.FAIL, 255, "/255"),
        (PingKind.FAIL, None, "/fail"),
        (PingKind.FAIL, 0, "/fail"),
        (PingKind.FAIL, -9, "/fail"),
    ],
)
def test_what_is_said_stands_behind_the_address(
    kind: PingKind, code: int | None, where: str
) -> None:
    assert address(URL, kind, code, "r") == f"{URL}{where}?rid=r"
    assert address(f"{URL}/", kind, code, "r") == f"{URL}{where}?rid=r"
    assert address(f"{URL}?a=1", kind, code, "r") == f"{URL}{where}?a=1&rid=r"


@pytest.mark.parametrize("text", ["", "hc", "ftp://x", "https://", "https://a b", "http://a\n"])
def test_an_address_is_http_and_has_no_blanks(text: str) -> None:
    with pytest.raises(UsageError):
        check_address(text)


@given(
    st.builds(
        Ping,
        url=st.just(URL),
        kind=st.sampled_from(PingKind),
        execution_id=st.just("exec_1"),
        cue_name=st.text(),
        attempt=st.integers(1, 100),
        exit_code=st.none() | st.integers(0, 255),
        summary=st.none() | st.text(),
        created_at=st.integers(0, 10**13),
        delivery=st.builds(
            Delivery,
            status=st.sampled_from(DeliveryStatus),
            tries=st.integers(0, 50),
            next_at=st.none() | st.integers(0, 10**13),
            error=st.none() | st.text(),
        ),
    )
)
def test_the_record_of_a_ping_gives_the_same_ping(ping: Ping) -> None:
    assert ping_from_record(json.loads(json.dumps(ping.to_record()))) == ping
