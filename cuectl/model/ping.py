"""Pings: telling a monitor that work began, succeeded or failed, as healthchecks takes them.

The address of a check itself means success, `/start` behind it the beginning, `/<number>` the
exit status of a failure, `/fail` a failure without one; `rid` ties the beginning to the end
(https://healthchecks.io/docs/http_api/).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cuectl.model.alert import Delivery, DeliveryStatus
from cuectl.model.errors import UsageError
from cuectl.model.execution_status import NEVER_STARTED
from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, replace
from cuectl.model.verdict import counts_as_success
from cuectl.model.verification import OutcomeState

if TYPE_CHECKING:
    from cuectl.model.execution import Execution

Record = dict[str, Any]


class PingKind(StrEnum):
    """What a ping says."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One ping that somebody should get.

    Attributes:
        url: of the check.
        execution_id, attempt: what it is about.
        exit_code: of a failure that had one.
        summary: what went wrong, for the body.
        delivery: how far it has got.
    """

    url: str
    kind: PingKind
    execution_id: str
    cue_name: str
    attempt: int
    exit_code: int | None = None
    summary: str | None = None
    created_at: int
    delivery: Delivery

    @property
    def id(self) -> str:
        """The name of its view: an execution has one beginning per attempt, and one end."""
        begins = self.kind is PingKind.START
        return f"{self.execution_id}.{self.attempt}.{'start' if begins else 'end'}"

    def with_delivery(self, delivery: Delivery) -> Ping:
        """Return the ping after something was done about it."""
        return replace(self, delivery=delivery)

    def to_record(self) -> Record:
        """Return what `pings/<id>.json` holds."""
        return {
            "url": self.url,
            "kind": self.kind.value,
            "execution_id": self.execution_id,
            "cue_name": self.cue_name,
            "attempt": self.attempt,
            "exit_code": self.exit_code,
            "summary": self.summary,
            "created_at": to_text(self.created_at),
            "delivery": self.delivery.to_record(),
        }


def ping_from_record(record: Record) -> Ping:
    """Return the ping in a record.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    state = record["delivery"]
    next_at = state.get("next_at")
    return Ping(
        url=record["url"],
        kind=PingKind(record["kind"]),
        execution_id=record["execution_id"],
        cue_name=record["cue_name"],
        attempt=record["attempt"],
        exit_code=record.get("exit_code"),
        summary=record.get("summary"),
        created_at=from_text(record["created_at"]),
        delivery=Delivery(
            status=DeliveryStatus(state["status"]),
            tries=state.get("tries", 0),
            next_at=None if next_at is None else from_text(next_at),
            error=state.get("error"),
        ),
    )


def start_ping(execution: Execution) -> Ping | None:
    """Return what a monitor should hear when an attempt is claimed; None without an address."""
    return _ping(execution, PingKind.START, execution.due_at or execution.scheduled_for)


def end_ping(execution: Execution) -> Ping | None:
    """Return what a monitor should hear of an execution that is over.

    None when nobody asked, when it never started (then the monitor misses the ping, which is
    its business), and while the outcome is still to be verified. What is not believed failed.
    """
    if execution.policy.ping_url is None or execution.status in NEVER_STARTED:
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


def _ping(execution: Execution, kind: PingKind, at: int) -> Ping | None:
    url = execution.policy.ping_url
    if url is None:
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
    """Return where a ping goes.

    Args:
        url: of the check; what follows a question mark in it stays.
        kind: what the ping says.
        exit_code: of a failure; other monitors than healthchecks know `/fail` only.
        run_id: a UUID that the beginning and the end share.
    """
    base, mark, query = url.partition("?")
    suffixes = {PingKind.START: "/start", PingKind.SUCCESS: "", PingKind.FAIL: "/fail"}
    suffix = suffixes[kind]
    if kind is PingKind.FAIL and exit_code and 0 < exit_code < 256:
        suffix = f"/{exit_code}"
    more = f"{query}&" if mark and query else ""
    return f"{base.rstrip('/')}{suffix}?{more}rid={run_id}"


def check_address(text: str) -> str:
    """Return the address of a check if it can be one.

    Raises:
        UsageError: it can't.
    """
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or not rest or not text.isprintable() or " " in text:
        raise UsageError(f"'{text}' is not an address such as https://hc-ping.com/UUID")
    return text
