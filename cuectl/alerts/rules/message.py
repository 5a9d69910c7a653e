"""What people read of an alert: a line and a whole text, the same for all sinks.

It suffices to decide what to do: which machine and cue, since when, the verdict and why, what
evidence is missing, the end of the output, what comes next, and the commands to look and to run it
again. Everything from outside is one line where a line stands, and shown where it would act.
"""

from __future__ import annotations

from cuectl.alerts.rules.alert import AlertType, Severity
from cuectl.executions.rules.verdict import GOOD, VerdictWord
from cuectl.schedule.zones import local_text
from cuectl.values.ids import quoted
from cuectl.values.records import dataclass
from cuectl.values.safe_text import one_line, visible
from cuectl.values.times import span_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cuectl.alerts.rules.alert import Alert

OUTPUT_LINES = 20
MOST_IN_DIGEST = 50
_LONGEST_TITLE = 200
_LONGEST_ROW = 400
_LONGEST_NAME = 60
_NAMED = 3
_WIDTH = 14
# A digest says of these that a cue fails.
_FAILING = frozenset(
    {
        *(AlertType.CONSECUTIVE_FAILURES, AlertType.VERIFICATION_FAILED, AlertType.MISSED),
        *(AlertType.OUTCOME_TIMEOUT, AlertType.INTERRUPTED),
    }
)
_LOOK = {
    AlertType.JOURNAL_DAMAGED: "cuectl fsck",
    AlertType.VIEW_QUARANTINED: "cuectl fsck",
    AlertType.QUEUE_FULL: "cuectl queue list",
    AlertType.SCHEDULER_SILENT: "cuectl doctor",
    AlertType.BUDGET: "cuectl agents list",
    AlertType.SOURCE_FAILED: "cuectl subscriptions list",
    AlertType.FAN_IN_TIMEOUT: "cuectl subscriptions list",
    AlertType.DELIVERY_FAILED: "cuectl alerts list --type delivery_failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when an alert is sent; the texts are masked.

    Attributes:
        zone: in which times are written.
        verdict, why, output: of the execution, as it stands now.
        missing: the evidence that was asked for and not given.
        attempt: `attempt 2 of 3`, empty where there is but one.
        failures: runs in a row that failed, up to now.
        is_kept: the execution is recorded, so it can be looked at.
    """

    host: str
    zone: str
    verdict: VerdictWord | None = None
    why: str = ""
    since: int | None = None
    failures: int = 0
    due_at: int | None = None
    attempt: str = ""
    duration_s: float | None = None
    output: tuple[str, ...] = ()
    missing: str = ""
    retry_at: int | None = None
    next_at: int | None = None
    at_rest: str = ""  # `paused`, `completed`: why nothing comes next
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a sink hands over: one alert, or a digest of several, the oldest first."""

    alerts: tuple[Alert, ...]
    host: str
    title: str  # one line
    text: str

    @property
    def id(self) -> str:
        """The id by which a receiver knows a repeat."""
        return self.alerts[0].id

    @property
    def follows(self) -> str | None:
        """The id of the alert that this one reminds of, or closes."""
        return None if self.is_digest else self.alerts[0].incident

    @property
    def type(self) -> AlertType:
        """The type of its alert, or that it is a digest."""
        return AlertType.DIGEST if self.is_digest else self.alerts[0].type

    @property
    def is_digest(self) -> bool:
        """Whether it is about more than one alert."""
        return len(self.alerts) > 1

    @property
    def severity(self) -> Severity:
        """The gravest of its alerts' severities."""
        grave = any(one.severity is Severity.CRITICAL for one in self.alerts)
        return Severity.CRITICAL if grave else self.alerts[0].severity


def message_about(alert: Alert, facts: Facts) -> Message:
    """Return the message about one alert."""
    said = visible(alert.message).strip()
    rows = [(name, one_line(text, _LONGEST_ROW)) for name, text in _rows(alert, facts) if text]
    blocks = [said, _table(rows)]
    if facts.output:
        blocks.append("The end of its output:\n" + _indented(facts.output))
    if commands := list(_commands(alert, facts)):
        blocks.append(_table(commands))
    text = "\n\n".join(blocks) + "\n"
    return Message(alerts=(alert,), host=facts.host, title=_title(facts.host, said), text=text)


def digest_of(alerts: Sequence[Alert], host: str, zone: str) -> Message:
    """Return the message about several alerts: a line of each."""
    ordered = tuple(sorted(alerts, key=lambda one: (one.created_at, one.id)))
    said = _count(ordered)
    lines = [
        f"{local_text(one.created_at, zone)}  {one_line(one.message, _LONGEST_ROW)}"
        for one in ordered[:MOST_IN_DIGEST]
    ]
    if len(ordered) > MOST_IN_DIGEST:
        lines.append(f"and {len(ordered) - MOST_IN_DIGEST} more")
    commands = (("Look", "cuectl status"), ("All of them", "cuectl alerts list --all"))
    rows = _table([("Host", one_line(host, _LONGEST_ROW))])
    text = "\n\n".join([said, rows, "\n".join(lines), _table(commands)]) + "\n"
    return Message(alerts=ordered, host=host, title=_title(host, said), text=text)


def recovery_words(name: str, lasted_ms: int, failed: int) -> str:
    """Return the message of a recovery: `'backup' recovered after 2 d 3 h, 3 runs failed`."""
    runs = f", {failed} run{'s' if failed > 1 else ''} failed" if failed else ""
    return f"'{name}' recovered after {_span(lasted_ms)}{runs}"


def _title(host: str, said: str) -> str:
    return one_line(f"{host}: {said}", _LONGEST_TITLE)


def _rows(alert: Alert, facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Host", facts.host
    yield "Cue", alert.cue_name or ""
    since = facts.since if facts.since is not None else alert.since
    if since is not None and alert.type is not AlertType.RECOVERED:
        failures = max(facts.failures, alert.failures)
        often = f", {failures} failures in a row" if failures > 1 else ""
        yield "Since", f"{local_text(since, facts.zone)}{often}"
    else:
        yield "At", local_text(alert.created_at, facts.zone)
    if facts.verdict is not None:
        yield "Verdict", facts.verdict.words + (f": {facts.why}" if facts.why else "")
    yield "Run", _run(alert, facts)
    yield "Missing", facts.missing
    yield "Next", _next(facts)


def _run(alert: Alert, facts: Facts) -> str:
    if not alert.execution_id:
        return ""
    parts = [alert.execution_id]
    if facts.due_at is not None:
        parts.append(f"due {local_text(facts.due_at, facts.zone)}")
    if facts.attempt:
        parts.append(facts.attempt)
    if facts.duration_s is not None:
        parts.append(f"took {span_in_words(facts.duration_s)}")
    return ", ".join(parts)


def _next(facts: Facts) -> str:
    parts = []
    if facts.retry_at is not None:
        parts.append(f"tries again {local_text(facts.retry_at, facts.zone)}")
    if facts.next_at is not None:
        parts.append(f"fires next {local_text(facts.next_at, facts.zone)}")
    elif facts.at_rest:
        parts.append(f"fires no more: the cue is {facts.at_rest}")
    return ", ".join(parts)


def _commands(alert: Alert, facts: Facts) -> Iterator[tuple[str, str]]:
    name = quoted(alert.cue_name) if alert.cue_name else ""
    if not name:
        yield "Look", _LOOK.get(alert.type, "cuectl status")
        return
    is_option = alert.cue_name is not None and alert.cue_name.startswith("-")
    name = f"-- {name}" if is_option else name
    if facts.is_kept and facts.output:
        yield "Look", f"cuectl executions output {alert.execution_id}"
    elif facts.is_kept:
        yield "Look", f"cuectl executions get {alert.execution_id}"
    elif facts.at_rest == "deleted":
        yield "Look", f"cuectl executions list --cue {quoted(alert.cue_name or '')}"
    else:
        yield "Look", _LOOK.get(alert.type, f"cuectl get {name}")
    if facts.verdict is VerdictWord.TO_VERIFY:
        yield "Decide", f"cuectl verify {alert.execution_id}"
    elif facts.is_kept and facts.verdict not in GOOD:
        yield "Run again", f"cuectl retry {alert.execution_id}"
    elif facts.at_rest != "deleted" and alert.type is not AlertType.RECOVERED:
        yield "Run again", f"cuectl fire {name}"
    if alert.type in (AlertType.RECOVERED, AlertType.TEST):
        return
    if alert.acknowledged_at is None or alert.incident is not None:
        # A reminder is seen to by itself; what it reminds of is not.
        yield "Acknowledge", f"cuectl alerts ack {alert.incident or alert.id}"


def _count(alerts: Sequence[Alert]) -> str:
    failing = _cues(one for one in alerts if one.type in _FAILING)
    recovered = _cues(one for one in alerts if one.type is AlertType.RECOVERED)
    others = len(
        [one for one in alerts if one.type not in _FAILING and one.type is not AlertType.RECOVERED]
    )
    parts = []
    if failing:
        parts.append(_these(failing, "cue fails", "cues fail"))
    if recovered:
        parts.append(_these(recovered, "cue recovered", "cues recovered"))
    if others:
        more = "more " if parts else ""
        parts.append(f"{others} {more}alert{'s' if others > 1 else ''}")
    return "; ".join(parts)


def _these(names: list[str], one: str, many: str) -> str:
    shown = ", ".join(one_line(name, _LONGEST_NAME) for name in names[:_NAMED])
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} {one if len(names) == 1 else many}: {shown}{rest}"


def _cues(alerts: Iterable[Alert]) -> list[str]:
    return list({one.cue_id or one.id: one.cue_name or "-" for one in alerts}.values())


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{f'{name}:':<{_WIDTH}}{text}" for name, text in rows)


def _indented(lines: Sequence[str]) -> str:
    shown = (visible(line, newlines=False).rstrip()[:_LONGEST_ROW] for line in lines)
    return "\n".join(f"    {line}".rstrip() for line in shown)


def _span(ms: int) -> str:
    """Return a span in its two largest units: `2 d 3 h`, `12 s`."""
    rest = max(0, round(ms / 1000))
    parts: list[str] = []
    for letter, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, seconds)
        if amount:
            parts.append(f"{amount} {letter}")
        if parts and (len(parts) == 2 or not amount):
            break
    return " ".join(parts) or "a moment"
