"""Pings for monitors: staged with what they report, sent in that order by `cuectl deliver`.

A failed ping is retried like an alert. The start ping of a finished run is dropped, because it
would make the monitor think that the run continues.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager

from cuectl.alerts.alerts import clear_subject, complain_of_delivery
from cuectl.alerts.incidents import notify
from cuectl.alerts.rules.alert import AlertType, DeliveryStatus, after_failure, trying
from cuectl.alerts.rules.ping import (
    Ping,
    PingKind,
    address,
    end_ping,
    failure_call,
    ping_from_record,
    start_ping,
)
from cuectl.alerts.sinks import NotDelivered
from cuectl.cues.progress import read_cue
from cuectl.cues.rules.record import CueStatus
from cuectl.executions.effects import Step
from cuectl.store import home, output, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.views import BadView, due_markers
from cuectl.values.ids import quoted
from cuectl.values.records import dataclass, replace
from cuectl.values.times import HOUR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction

MARKER = "p"
LOG_BYTES = 10_000
# After this many failures in a row a receiver gets nothing more in this round.
PATIENCE = 2
# A receiver that may be gone only for a while is complained about after this many tries.
TRIES_TO_COMPLAIN = 3
_NAMESPACE = uuid.UUID("0bd8e1a6-3d6b-5d8c-9a61-6f5b1c7f1a52")


def _path(identity: str) -> str:
    return f"pings/{identity}.json"


def _views(before: Ping | None, after: Ping | None) -> Views:
    """Return what a change of a ping sets; None before it is there and after it is gone."""
    views: Views = {}
    for ping, is_there in ((before, None), (after, True)):
        if ping is not None:
            views[_path(ping.id)] = ping.to_record() if is_there else None
            if ping.delivery.next_at is not None:
                views[paths.marker(ping.delivery.next_at, MARKER, ping.id)] = is_there
    return views


def ping_start(tx: Transaction, execution: Execution, effects: Effects) -> None:
    """Stage the ping that an attempt starts."""
    if execution.policy.ping_url is not None:
        tx.amend(_views(None, start_ping(execution)))
        effects.deliver = True


def ping_end(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the ping that says how an execution ended."""
    if end.execution.policy.ping_url is None or end.step not in (Step.OVER, Step.REVISED):
        return
    tx.amend(_views(None, end_ping(end.execution)))
    effects.deliver = effects.deliver or end.step is Step.OVER


def act_on_failure(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage what the `on_failure` of a cue asks for, when its work is missed or has failed."""
    done, asked = end.execution, end.execution.policy.on_failure
    known = read_cue(tx, done.cue_id)
    if end.step is not Step.OVER or asked is None or known is None:
        return
    call = failure_call(done, asked)
    if call is not None:
        tx.amend(_views(None, call))
        effects.deliver = True
    cue, state = known
    if asked.get("pause") and cue.trigger["type"] != "at" and state.status is CueStatus.ACTIVE:
        from cuectl.cues.change import stage_pause

        stage_pause(tx, cue, state, reason="on_failure")
        said = f"'{cue.name}' failed and is paused now: cuectl resume {quoted(cue.name)}"
        notify(tx, cue, said, done.id, effects)


@contextmanager
def change(runtime: Runtime) -> Iterator[Transaction]:
    """Open a change of the process that delivers, at no earlier time than what was recorded last.

    A clock that CUECTL_NOW has set is behind that of the pass by as long as this process took to
    start, and what the pass recorded as due now would wait for a pass that may never come.
    """
    with runtime.store.transaction(runtime.now(), limit_s=home.SETTLE_LIMIT_S) as tx:
        last = tx.store.journal.last_at()
        if last is not None and tx.now < last < tx.now + HOUR:
            tx.now = last
        yield tx


def run_id(identity: str) -> str:
    """Return the UUID that links the start of something to its end."""
    return str(uuid.uuid5(_NAMESPACE, identity))


@dataclass(slots=True)
class PingRound:
    """The pings of one process that delivers; `masked` hides the declared secrets."""

    runtime: Runtime
    masked: Callable[[str], str]
    sent: int = 0
    failed: int = 0

    def due(self) -> list[str]:
        """Return the ids of the pings to send now, in the order of what they report."""
        with change(self.runtime) as tx:
            tx.store.flush()
            due = [one for one in due_markers(self.runtime.home, tx.now) if one.kind == MARKER]
            known = [ping for one in due if (ping := _known(tx, one.id)) is not None]
            found = [ping for ping in known if (ping.delivery.next_at or 0) <= tx.now]
        # The start of an attempt before its end.
        found.sort(key=lambda it: (it.created_at, it.execution_id, it.attempt, it.kind != "start"))
        return [one.id for one in found]

    def serve(self, due: list[str]) -> None:
        """Send what is due; an address that failed twice in a row gets no more now."""
        failures: dict[str, int] = {}
        for identity in due:
            with change(self.runtime) as tx:
                ping = _known(tx, identity)
            if ping is None or self._is_late_beginning(ping):
                self._gone(identity, "ping.dropped")
            elif failures.get(ping.url, 0) >= PATIENCE:
                self._failed(identity, NotDelivered("put off, because earlier ones failed"))
            else:
                failures[ping.url] = 0 if self._try(ping) else failures.get(ping.url, 0) + 1

    def _try(self, ping: Ping) -> bool:
        try:
            url = address(ping.url, ping.kind, ping.exit_code, run_id(ping.execution_id))
            send(url, self._body(ping), ping)
        except NotDelivered as error:
            self._failed(ping.id, error)
            self.failed += 1
            return False
        self._gone(ping.id, "ping.sent")
        self.sent += 1
        return True

    def _body(self, ping: Ping) -> str:
        """Return what goes with a ping: how it ended, and the end of its output."""
        if ping.kind is PingKind.START:
            return ""
        if ping.kind is PingKind.CALL:
            return self.masked(ping.summary or "")
        path = paths.run_file(self.runtime.home, ping.execution_id, ping.attempt, "out")
        heading = f"{ping.summary}\n\n" if ping.summary else ""
        return self.masked(heading + end_of_output(path))

    def _is_late_beginning(self, ping: Ping) -> bool:
        if ping.kind is not PingKind.START or not ping.delivery.tries:
            return False
        with change(self.runtime) as tx:
            return tx.read(paths.open_execution(ping.execution_id)) is None

    def _gone(self, identity: str, event: str) -> None:
        with change(self.runtime) as tx:
            ping = _known(tx, identity)
            if ping is not None:
                views = _views(ping, None)
                views |= clear_subject(tx, AlertType.DELIVERY_FAILED, f"ping {ping.url}")
                tx.stage(_entry(event, ping, views))

    def _failed(self, identity: str, error: NotDelivered) -> None:
        """Note that a ping failed: retry later or, after three days, never."""
        with change(self.runtime) as tx:
            ping = _known(tx, identity)
            if ping is None:
                return
            tried = trying(ping.delivery, tx.now, error.reason)
            delivery = after_failure(tried, error.reason, ping.created_at)
            over = delivery.status is DeliveryStatus.FAILED
            after = None if over else replace(ping, delivery=delivery)
            event = "ping.given_up" if over else "ping.failed"
            tx.stage(_entry(event, ping, _views(ping, after), error.reason))
            if error.lasting or over or delivery.tries >= TRIES_TO_COMPLAIN:
                who = "webhook on failure" if ping.kind is PingKind.CALL else "monitor"
                what = f"the {who} of '{ping.cue_name}' does not take its pings"
                message = f"{what}: {error.reason}"
                complain_of_delivery(tx, self.runtime, f"ping {ping.url}", message)


def send(url: str, body: str, ping: Ping | None = None) -> None:
    """Send one ping. Raises NotDelivered: the answer was not 2xx, or there was none in time."""
    from cuectl.alerts.sinks.webhook import post

    is_call = ping is not None and ping.kind is PingKind.CALL
    kind = "application/json" if is_call else "text/plain; charset=utf-8"
    private = ping is None or ping.allow_private
    data = body.encode("utf-8", "backslashreplace")
    post(url, {"Content-Type": kind}, data, allow_private=private)


def end_of_output(path: str) -> str:
    """Return the end of an output file; empty when there is none."""
    try:
        start = max(0, output.size(path) - LOG_BYTES)
        data = b"".join(output.pieces(path, start))
    except OSError:
        return ""
    return data[-LOG_BYTES:].decode("utf-8", "backslashreplace")


def _entry(kind: str, ping: Ping, views: Views, error: str | None = None) -> JournalEntry:
    detail = {"ping": ping.kind.value} | ({"error": error} if error else {})
    return JournalEntry(type=kind, ids={"execution": ping.execution_id}, set=views, detail=detail)


def _known(tx: Transaction, identity: str) -> Ping | None:
    """Return a ping, None for a damaged one as well, which is not for this process to look at."""
    try:
        record = tx.read(_path(identity))
        return ping_from_record(record) if record else None
    except (BadView, KeyError, TypeError, ValueError):
        return None
