"""What the store knows about an alert when it is sent, gathered here for every sink."""

from __future__ import annotations

from contextlib import suppress

from cuectl.alerts.rules.alert import AlertType
from cuectl.alerts.rules.message import OUTPUT_LINES, Facts, digest_of, message_about
from cuectl.cues.rules.record import CueStatus, cue_from_record, state_from_record
from cuectl.executions.lookup import record_of
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.executions.rules.verdict import BAD, facts_in, verdict_word, why, without_colours
from cuectl.executions.rules.verification import OutcomeState, VerificationMode
from cuectl.store import output, paths
from cuectl.store.reading import open_reader
from cuectl.store.views import BadView
from cuectl.values.errors import StateError
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from cuectl.alerts.rules.alert import Alert
    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader

    Mask = Callable[[str], str]

# Of these, the last lines are shown.
_END_BYTES = 16_000
_BROKEN = (BadView, StateError, OSError, KeyError, TypeError, ValueError)


def compose(runtime: Runtime, alerts: Sequence[Alert], context: SinkContext) -> Message:
    """Return what to say about one or several alerts, as the store knows it now.

    What can't be read is left out.
    """
    if len(alerts) > 1:
        return digest_of(alerts, context.host, context.zone)
    (alert,) = alerts
    facts = Facts(host=context.host, zone=context.zone)
    with suppress(*_BROKEN):
        reader = open_reader(runtime.existing_store)
        facts = _with_cue(facts, reader, alert)
        facts = _with_execution(facts, reader, alert, context.masked)
    return message_about(alert, facts)


def _with_cue(facts: Facts, reader: Reader, alert: Alert) -> Facts:
    if alert.cue_id is None:
        return facts
    record, state_record = (reader.read(of(alert.cue_id)) for of in (paths.cue, paths.state))
    if record is None or state_record is None:
        return replace(facts, at_rest=CueStatus.DELETED.value)
    cue, state = cue_from_record(record), state_from_record(state_record)
    fires = state.status is CueStatus.ACTIVE
    repeats = cue.trigger.get("type") in ("cron", "every", "at")
    return replace(
        facts,
        since=state.failing_since if state.failures else None,
        failures=state.failures,
        next_at=state.next_at if fires else None,
        at_rest=state.status.value if repeats and not fires else "",
    )


def _with_execution(facts: Facts, reader: Reader, alert: Alert, masked: Mask) -> Facts:
    record = record_of(reader, alert.execution_id) if alert.execution_id else None
    if record is None:
        return facts
    done = execution_from_record(record)
    word = verdict_word(done.status, done.outcome_state)
    tells_output = alert.type is not AlertType.RECOVERED and word in BAD
    return replace(
        facts,
        verdict=word,
        why=masked(why(facts_in(done))),
        due_at=done.scheduled_for,
        attempt=_attempt(done),
        duration_s=done.duration_s,
        missing=masked(missing_evidence(done)),
        retry_at=done.due_at if done.status is ExecutionStatus.WAITING else None,
        output=_last_lines(reader.home, record, masked) if tells_output else (),
        is_kept=True,
    )


def _attempt(done: Execution) -> str:
    most = done.policy.max_attempts
    return f"attempt {done.attempt} of {most}" if most > 1 else ""


def missing_evidence(done: Execution) -> str:
    """Return the evidence that a run still owes, '' where none is missing."""
    if done.reason == "outcome_timeout":
        return "a report in time: cuectl report"
    if done.outcome_state != OutcomeState.VERIFICATION_FAILED or done.verified_by == "person":
        return ""
    give = "cuectl report --success"
    match done.policy.verification:
        case VerificationMode.REQUIRE_EXTERNAL_ID:
            return f"an external id, which its handler gives by: {give} --external-id ID"
        case VerificationMode.REQUIRE_RESULT_URL:
            return f"the address of a result, which its handler gives by: {give} --result-url URL"
        case VerificationMode.REQUIRE_ARTIFACTS:
            said = done.reason or ""
            if said.startswith("artifact '"):
                return f"a new file: {said}"
            return f"a file, which its handler gives by: {give} --artifact PATH"
        case VerificationMode.COMMAND:
            return "the word of its checker"
        case _:
            return ""


def _last_lines(home: str, record: dict[str, Any], masked: Mask) -> tuple[str, ...]:
    """Return the end of the most telling text of a run: its checker, an answer, its errors."""
    for suffix in ("check.out", "answer", "err", "out"):
        path = paths.run_file(home, record["id"], record.get("attempt", 1), suffix)
        data = output.read_end(path, _END_BYTES)
        lines = masked(data.decode("utf-8", "backslashreplace")).rstrip().split("\n")
        if len(data) == _END_BYTES and len(lines) > 1:
            # The first line is cut, perhaps within a secret.
            lines = lines[1:]
        shown = [without_colours(one.rstrip("\r").rpartition("\r")[2]) for one in lines]
        if any(shown):
            return tuple(shown[-OUTPUT_LINES:])
    return ()
