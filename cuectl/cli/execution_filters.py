"""The filters of executions, as options, and what they mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Option
from cuectl.cli.parameters import key_value, not_empty, one_of
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.cli.call import Call
    from cuectl.model.execution_filter import ExecutionFilter
    from cuectl.store.reading import Reader

# As in model/execution_status.py and model/verification.py, which parsing does without; a test
# compares.
STATUSES = (
    *("pending", "queued", "running", "waiting", "succeeded", "failed", "timed_out"),
    *("interrupted", "cancelled", "skipped", "missed"),
)
OUTCOME_STATES = (
    *("reported_success", "reported_failure", "verified_success", "verification_pending"),
    *("verification_failed", "unknown"),
)
# What starts an execution, and what CueAPI calls it.
TRIGGERS = ("schedule", "chain", "fire", "retry", "event")
_TRIGGER_WORDS = {"scheduled": "schedule", "manual_fire": "fire", "replay": "retry"}


def _trigger(text: str) -> str:
    return _TRIGGER_WORDS.get(text) or one_of(TRIGGERS, text)


def _among(choices: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: one_of(choices, text)


OPTIONS = (
    Option(
        name="--cue",
        metavar="CUE",
        convert=not_empty,
        complete="cue",
        help="Name, id or start of an id of a cue, also of one that was deleted",
    ),
    Option(
        name="--status",
        metavar="STATUS",
        many=True,
        convert=_among(STATUSES),
        help="Only in this state: " + ", ".join(STATUSES),
    ),
    Option(
        name="--outcome-state",
        metavar="STATE",
        many=True,
        convert=_among(OUTCOME_STATES),
        help="Only with this outcome: " + ", ".join(OUTCOME_STATES),
    ),
    Option(name="--result-type", metavar="TYPE", many=True, help="Only with this result type"),
    Option(
        name="--parent-run-id",
        metavar="ID",
        convert=not_empty,
        help="Only with this as 'parent_run_id' in the payload, or as the parent execution",
    ),
    Option(
        name="--root",
        metavar="ID",
        convert=not_empty,
        complete="execution",
        help="Only of the chain that this execution belongs to",
    ),
    Option(name="--since", metavar="TIME", help="Only with a nominal time from here on"),
    Option(name="--until", metavar="TIME", help="Only with a nominal time before this"),
    Option(
        name="--triggered-by",
        metavar="WORD",
        many=True,
        convert=_trigger,
        help="Only started so: " + ", ".join(TRIGGERS),
    ),
    Option(
        name="--payload",
        metavar="KEY=VALUE",
        many=True,
        convert=key_value,
        help="Only with this value in the payload; the key may be dotted",
    ),
    Option(
        name="--metadata",
        metavar="KEY=VALUE",
        many=True,
        convert=key_value,
        help="Only with this value in the metadata; the key may be dotted",
    ),
    Option(name="--has-evidence", help="Only with an external id, a result or artifacts"),
)


def filter_of(call: Call, reader: Reader, given: dict[str, Any]) -> ExecutionFilter:
    """Return the filter that the options make."""
    from cuectl.model.execution_filter import ExecutionFilter

    cue = given["cue"]
    since, until = moment(call, given["since"]), moment(call, given["until"])
    if since is not None and until is not None and until <= since:
        raise UsageError(f"'--until {given['until']}' is not after '--since {given['since']}'")
    return ExecutionFilter(
        cue_ids=cue_ids(reader, cue) if cue else (),
        cue_name=cue,
        statuses=given["status"],
        outcome_states=given["outcome_state"],
        result_types=given["result_type"],
        parent_run_id=given["parent_run_id"],
        root=given["root"],
        since=since,
        until=until,
        triggered_by=given["triggered_by"],
        payload=given["payload"],
        metadata=given["metadata"],
        has_evidence=given["has_evidence"],
    )


def cue_ids(reader: Reader, ref: str) -> tuple[str, ...]:
    """Return the ids, or starts of ids, that a person means by a cue; none for a name of old."""
    from cuectl.engine.cue_lookup import LEAST_LETTERS
    from cuectl.model.ids import CUE_PREFIX
    from cuectl.store import paths

    letters = ref.removeprefix(CUE_PREFIX)
    if letters != ref and len(letters) >= LEAST_LETTERS:
        return (ref,)
    key = reader.read(paths.name_key(ref))
    return (key["cue"],) if key else ()


def moment(call: Call, text: str | None) -> int | None:
    """Return the instant that `--since` or `--until` names."""
    if text is None:
        return None
    from cuectl.model.moments import parse_since

    runtime = call.runtime
    zone = "UTC" if call.settings.utc else runtime.zone
    return parse_since(text, now_ms=runtime.now(), zone_name=zone)
