"""Pings: telling a monitor that work started, succeeded or failed, as healthchecks takes them.

The address of a check itself means success, `/start` behind it the beginning, `/<number>` the
exit status of a failure, `/fail` a failure without one; `rid` ties the beginning to the end
(https://healthchecks.io/docs/http_api/).
"""

from __future__ import annotations

import json
from enum import StrEnum

from cuectl.alerts.rules.alert import Delivery, DeliveryStatus, delivery_from_record
from cuectl.executions.rules.record import NEVER_STARTED
from cuectl.executions.rules.verdict import counts_as_success
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.rules.webhook import answered_status
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import members_of, record_of, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.rules.record import Execution
    from cuectl.values.records import Record


class PingKind(StrEnum):
    """What a ping says."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    CALL = "call"  # no monitor's: what `on_failure` of a cue calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One ping for a monitor; `summary` says what went wrong, for the body (of a call, its all)."""

    url: str
    kind: PingKind
    execution_id: str
    cue_name: str
    attempt: int
    exit_code: int | None = None
    summary: str | None = None
    allow_private: bool = True
    created_at: int
    delivery: Delivery

    @property
    def id(self) -> str:
        """The name of its view: an execution has one beginning per attempt, one end, one call."""
        word = "end" if self.kind in (PingKind.SUCCESS, PingKind.FAIL) else self.kind.value
        return f"{self.execution_id}.{self.attempt}.{word}"

    def to_record(self) -> Record:
        """Return what `pings/<id>.json` holds."""
        return record_of(self, ("created_at",)) | {"delivery": self.delivery.to_record()}


def ping_from_record(record: Record) -> Ping:
    """Return the ping in a record. Raises KeyError, TypeError, ValueError: it is not one."""
    known = members_of(Ping, record, ("created_at",))
    delivery = delivery_from_record(record["delivery"])
    return Ping(**known | {"kind": PingKind(record["kind"]), "delivery": delivery})


def start_ping(execution: Execution) -> Ping | None:
    """Return the ping about a claimed attempt; None without an address."""
    return _ping(execution, PingKind.START, execution.due_at or execution.scheduled_for)


def end_ping(execution: Execution) -> Ping | None:
    """Return the ping about an execution that has ended.

    None without an address, when it never started (the monitor then misses the ping), and while
    the outcome is still to be verified.
    """
    if execution.status in NEVER_STARTED:
        return None
    word = OutcomeState(execution.outcome_state or OutcomeState.UNKNOWN)
    if word is OutcomeState.VERIFICATION_PENDING:
        return None
    at = execution.ended_at or execution.scheduled_for
    if counts_as_success(execution.status, word):
        return _ping(execution, PingKind.SUCCESS, at)
    why = execution.reason or execution.status.value
    found = _ping(execution, PingKind.FAIL, at)
    return found and replace(found, exit_code=execution.exit_code or None, summary=why)


def failure_call(execution: Execution, asked: Record) -> Ping | None:
    """Return the call that the `on_failure` of a cue asks for (reference/cueapi.md 4)."""
    at = execution.ended_at or execution.scheduled_for
    call = _ping(execution, PingKind.CALL, at, asked.get("webhook"))
    body = {
        "event": "cue.failed",
        "cue_id": execution.cue_id,
        "cue_name": execution.cue_name,
        "execution_id": execution.id,
        "attempts": execution.attempt,
        "last_http_status": answered_status(execution.to_record()),
        "last_error": execution.error or execution.reason or execution.status.value,
        "failed_at": to_text(at),
        "dashboard_url": None,
    }
    private = bool(asked.get("allow_private"))
    return call and replace(call, summary=json.dumps(body), allow_private=private)


def _ping(execution: Execution, kind: PingKind, at: int, to: str | None = None) -> Ping | None:
    url = execution.policy.ping_url if kind is not PingKind.CALL else to
    if not url:
        return None
    return Ping(
        url=url,
        kind=kind,
        execution_id=execution.id,
        cue_name=execution.cue_name,
        attempt=execution.attempt,
        created_at=at,
        delivery=Delivery(status=DeliveryStatus.PENDING, next_at=at),
    )


def address(url: str, kind: PingKind, exit_code: int | None, run_id: str) -> str:
    """Return where a ping goes; other monitors than healthchecks know `/fail` only."""
    if kind is PingKind.CALL:
        return url
    base, _, query = url.partition("?")
    suffix = {PingKind.START: "/start", PingKind.SUCCESS: "", PingKind.FAIL: "/fail"}[kind]
    if kind is PingKind.FAIL and exit_code and 0 < exit_code < 256:
        suffix = f"/{exit_code}"
    more = f"{query}&" if query else ""
    return f"{base.rstrip('/')}{suffix}?{more}rid={run_id}"


def check_address(text: str) -> str:
    """Return the address of a check if it can be one. Raises UsageError: it can't."""
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or not rest or not text.isprintable() or " " in text:
        raise UsageError(f"'{text}' is not an address such as https://hc-ping.com/UUID")
    return text
