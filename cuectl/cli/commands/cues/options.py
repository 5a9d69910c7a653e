"""The options that say what a cue is, and the draft that is made of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import PAYLOAD_FILE, read_payload
from cuectl.cli.frame.declare import (
    Option,
    duration,
    durations,
    key_value,
    not_empty,
    one_of,
    whole_number,
)
from cuectl.values.errors import UsageError
from cuectl.values.times import NO_LIMIT

if TYPE_CHECKING:
    from cuectl.cues.rules.draft import CueDraft

Values = dict[str, Any]

# A test compares these with the enumerations, whose import would cost every command its start.
MODES = (
    *("none", "require_external_id", "require_result_url"),
    *("require_artifacts", "manual", "command"),
)
CATCH_UP = ("latest", "none", "all", "run_once_if_missed", "skip_missed", "replay_all")
OVERLAP = ("skip", "queue", "cancel", "allow")
ON_INTERRUPTED = ("report", "rerun")
RETRY_KINDS = ("failed", "timed_out", "verification", "interrupted")
MOST_RETRIES = 100
MOVES = ("next-workday", "previous-workday")


def _tag(text: str) -> str:
    from cuectl.alerts.rules.routing import check_tag

    return check_tag(text)


_STATUS, _DAYS = whole_number(1, 255), not_empty
_TAKEN_AS_THEY_ARE = "name description cron at timezone task argv shell agent workflow".split()
_TAKEN_AS_THEY_ARE += ["environment", "executor"]

SCHEDULE_OPTIONS = (
    Option("--cron EXPR", "Fire at the times of a cron expression"),
    Option("--at TIME", "Fire once: 2026-11-23T09:00:00Z, 'tomorrow 09:00'"),
    Option("--every DUR", "Fire at this interval: 15m, 2h", duration),
    Option("--in DUR", "Fire once, after this time", duration),
    Option(
        "--timezone, --tz ZONE", "Time zone of the schedule, such as Europe/Paris", complete="zone"
    ),
)

WORK_OPTIONS = (
    Option(
        "--task NAME",
        "Run the handler of that name, like 'task' in the payload",
        not_empty,
        complete="task",
    ),
    Option("--shell COMMAND", "Run a command line in sh: 'one | two'"),
    Option(
        "--agent NAME",
        "Give an agent the prompt of --prompt; agents: cuectl agents list",
        not_empty,
        complete="agent",
    ),
    Option("--prompt TEXT", "The prompt for the agent: text, or @FILE"),
    Option(
        "--workflow NAME",
        "Run a workflow; see: cuectl workflow list",
        not_empty,
        complete="workflow",
    ),
    Option("--kwarg KEY=VALUE", "An argument of the workflow", key_value, many=True),
    Option("--payload JSON", "Input of the work: JSON, @FILE or -"),
    PAYLOAD_FILE,
    Option("--env KEY=VALUE", "Set a variable for the command", key_value, many=True),
    Option("--environment NAME", "Take the variables of 'environments' in cue.yaml", not_empty),
    Option("--executor NAME[/LABEL]", "Run it on other machines: farm, farm/gpu, local", not_empty),
    Option("--cwd DIR", "Directory of the command", not_empty, complete="directory"),
)

WEBHOOK_OPTIONS = (
    Option("--url URL", "Call this address, signed, instead of running a command"),
    Option(
        "--method METHOD",
        "Method of the call",
        choices=("POST", "PUT", "PATCH", "GET"),
        shown_default="POST",
    ),
    Option("--header NAME=VALUE", "Send a header with the call", key_value, many=True),
    Option("--allow-private", "Allow private and loopback addresses"),
)


def _retry_kinds(text: str) -> tuple[str, ...]:
    return tuple(one_of(RETRY_KINDS, word.strip()) for word in text.split(","))


def _within(text: str) -> tuple[float | None, float | None]:
    from cuectl.cues.rules.expectation import parse_within

    return parse_within(text)


def _by(text: str) -> str:
    from cuectl.cues.rules.expectation import parse_by

    return parse_by(text)


def _time_limit(text: str) -> float:
    return NO_LIMIT if text == "none" else duration(text)


POLICY_OPTIONS = (
    Option(
        "--verification-mode MODE",
        "Evidence that a run needs to count as verified: " + ", ".join(MODES),
        choices=MODES,
    ),
    Option(
        "--verify-command COMMAND",
        "Checker that must exit 0 after each run; implies the mode 'command'",
    ),
    Option("--allow-empty", "In the mode 'require_artifacts': an artifact may be an empty file"),
    Option("--timeout DUR", "Time limit of one attempt, or none", _time_limit),
    Option("--retries N", "Retry a failed run up to N times", whole_number(0, MOST_RETRIES)),
    Option("--backoff DUR,...", "Waits before the retries; the last one repeats", durations),
    Option("--retry-on KIND,...", "What to retry: " + ", ".join(RETRY_KINDS), _retry_kinds),
    Option("--retry-on-exit N", "Retry only after this exit status", _STATUS, many=True),
    Option("--never-retry-on-exit N", "Never retry after this exit status", _STATUS, many=True),
    Option("--retry-for DUR", "Retry only within this time of the first attempt", duration),
    Option(
        "--except DAYS",
        "Never start at these times: a calendar, a day, 23:00-01:00",
        _DAYS,
        many=True,
    ),
    Option(
        "--only DAYS",
        "Start only at these times: workdays, weekends, or as --except",
        _DAYS,
        many=True,
    ),
    Option(
        "--move WHERE",
        "Move occurrences on other days to the next or previous workday",
        choices=MOVES,
    ),
    Option(
        "--catch-up HOW",
        "After missed passes, run the latest occurrence, none, or all",
        choices=CATCH_UP,
    ),
    Option(
        "--overlap HOW",
        "If an earlier run is still running: skip, queue, cancel it, or allow both",
        choices=OVERLAP,
    ),
    Option("--deadline DUR", "Give up if the run can't start within DUR", duration),
    Option("--jitter DUR", "Delay starts by a fixed offset of up to DUR, to spread load", duration),
    Option(
        "--on-interrupted HOW",
        "If the process of a run is lost: report it, or rerun",
        choices=ON_INTERRUPTED,
    ),
    Option(
        "--outcome-deadline DUR",
        "Wait this long for a report after the process has ended",
        duration,
    ),
    Option("--alert NAME", "Alert sink to use instead of 'default'", many=True),
    Option(
        "--tag TAG", "Tag for alert sinks to choose by: 'when: {tags: [prod]}'", _tag, many=True
    ),
    Option(
        "--ping-url URL",
        "Tell a monitor of starts, successes and failures, as healthchecks takes them",
        not_empty,
    ),
    Option("--alert-after N", "Alert after N failures in a row, not 1", whole_number(1, 100)),
    Option("--remind DUR", "Alert again every DUR while it lasts, or none", _time_limit),
    Option("--expect-within DUR", "Alert when a run takes longer: 10m, or 2x the usual", _within),
    Option("--expect-by HH:MM", "Alert when it has not succeeded by this local time", _by),
    Option("--on-failure JSON", "Pause or call a webhook when it fails: '{\"pause\": true}'"),
)


def _webhook_of(values: Values) -> dict[str, Any] | None:
    said = {
        "url": values["url"],
        "method": values["method"],
        "headers": dict(values["header"]) or None,
        "allow_private": values["allow_private"] or None,
    }
    return {name: value for name, value in said.items() if value is not None} or None


def _policy_of(values: Values) -> dict[str, Any]:
    from cuectl.executions.rules.record import CATCH_UP_WORDS, OnInterrupted, Overlap

    check = values["verify_command"]
    retries, interrupted = values["retries"], values["on_interrupted"]
    said = {
        "verification": values["verification_mode"] or ("command" if check is not None else None),
        "allow_empty": values["allow_empty"] or None,
        "check": None if check is None else _split("--verify-command", check),
        "timeout_s": values["timeout"],
        "max_attempts": None if retries is None else retries + 1,
        "backoff_s": values["backoff"],
        "retry_on": values["retry_on"],
        "retry_on_exit": values["retry_on_exit"] or None,
        "never_retry_on_exit": values["never_retry_on_exit"] or None,
        "retry_for_s": values["retry_for"],
        "except_": values["except_"] or None,
        "only": values["only"] or None,
        "move": values["move"],
        "catch_up": CATCH_UP_WORDS.get(values["catch_up"] or ""),
        "overlap": Overlap(values["overlap"]) if values["overlap"] else None,
        "deadline_s": values["deadline"],
        "jitter_s": values["jitter"],
        "on_interrupted": OnInterrupted(interrupted) if interrupted else None,
        "outcome_deadline_s": values["outcome_deadline"],
        "alert": values["alert"] or None,
        "tags": values["tag"] or None,
        "ping_url": _ping_url(values["ping_url"]),
        "alert_after": values["alert_after"],
        "remind_s": values["remind"],
        "on_failure": _on_failure(values["on_failure"]),
        "expect_by": values["expect_by"],
    }
    if within := values["expect_within"]:
        said |= dict(zip(("expect_within_s", "expect_times"), within, strict=True))
    return {name: value for name, value in said.items() if value is not None}


def _on_failure(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    from cuectl.executions.rules.webhook import check_on_failure

    return check_on_failure(read_payload(text) or {})


def _ping_url(text: str | None) -> str | None:
    if text is None:
        return None
    from cuectl.alerts.rules.ping import check_address

    try:
        return check_address(text)
    except UsageError as error:
        raise UsageError(f"option '--ping-url': {error.message}") from error


def _split(option: str, text: str) -> tuple[str, ...]:
    import shlex

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"option '{option}': {str(error).lower()}: '{text}'") from error
    if not words or not words[0]:
        raise UsageError(f"option '{option}': the value has no program")
    return words


def prompt_of(text: str | None) -> str | None:
    """Return the prompt that an option gives, read from its file for `@FILE`."""
    if text is None or not text.startswith("@"):
        return text
    import os

    from cuectl.store.handler_files import read_prompt_file

    path = text[1:]
    try:
        return read_prompt_file(os.path.abspath(path))
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise UsageError(f"option '--prompt': '{path}' can't be read: {why}") from error


def draft_of(values: Values, *, cwd: str | None, cleared: frozenset[str]) -> CueDraft:
    """Return the draft that the options give; `cwd` is where a command runs if they say nothing."""
    import os

    from cuectl.cues.rules.draft import CueDraft

    if values["cwd"] is not None:
        cwd = os.path.abspath(values["cwd"])
    elif all(values[name] is None for name in ("argv", "shell", "workflow")):
        cwd = None
    return CueDraft(
        **{name: values[name] for name in _TAKEN_AS_THEY_ARE},
        every_s=values["every"],
        in_s=values["in_"],
        manual=bool(values.get("no_schedule")),
        prompt=prompt_of(values["prompt"]),
        kwargs=dict(values["kwarg"]) or None,
        webhook=_webhook_of(values) if "url" in values else None,
        cwd=cwd,
        env=dict(values["env"]) or None,
        policy=_policy_of(values) or None,
        payload=read_payload(values["payload"], values["payload_file"]),
        cleared=cleared,
    )
