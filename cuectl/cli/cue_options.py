"""The options that say what a cue is, and the draft that is made of their values.

`create`, `update` and `chain` take the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Option
from cuectl.cli.parameters import duration, durations, key_value, not_empty, whole_number
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.model.cue_draft import CueDraft

Values = dict[str, Any]

# Kept equal to the enumerations of the model by a test, which are not imported here: they
# would cost every command its start.
MODES = (
    "none",
    "require_external_id",
    "require_result_url",
    "require_artifacts",
    "manual",
    "command",
)
CATCH_UP = ("latest", "none", "all", "run_once_if_missed", "skip_missed", "replay_all")
OVERLAP = ("skip", "queue", "cancel", "allow")
ON_INTERRUPTED = ("report", "rerun")
RETRY_KINDS = ("failed", "timed_out", "verification", "interrupted")
MOST_RETRIES = 100


def retry_kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of `failed,timed_out`."""
    from cuectl.cli.parameters import one_of

    return tuple(one_of(RETRY_KINDS, word.strip()) for word in text.split(","))


SCHEDULE_OPTIONS = (
    Option(name="--cron", metavar="EXPR", help="Fire at the times of a cron expression"),
    Option(name="--at", metavar="TIME", help="Fire once: 2026-11-23T09:00:00Z, 'tomorrow 09:00'"),
    Option(
        name="--every",
        metavar="DUR",
        convert=duration,
        help="Fire each time so much has passed: 15m, 2h",
    ),
    Option(name="--in", metavar="DUR", help="Fire once, so long from now", convert=duration),
    Option(
        name="--timezone",
        also=("--tz",),
        metavar="ZONE",
        complete="zone",
        help="Time zone of the schedule, such as Europe/Paris",
    ),
)
"""When a cue fires."""

WORK_OPTIONS = (
    Option(
        name="--task",
        metavar="NAME",
        convert=not_empty,
        complete="task",
        help="Run the handler of that name; also the 'task' in the payload names it",
    ),
    Option(name="--shell", metavar="COMMAND", help="Run a command line in sh: 'one | two'"),
    Option(
        name="--agent",
        metavar="NAME",
        convert=not_empty,
        complete="agent",
        help="Give an agent the prompt of --prompt; agents: cuectl agents list",
    ),
    Option(name="--prompt", metavar="TEXT", help="What the agent is told: text, or @FILE"),
    Option(
        name="--workflow",
        metavar="NAME",
        convert=not_empty,
        complete="workflow",
        help="Run a workflow; all of them: cuectl workflow list",
    ),
    Option(
        name="--kwarg",
        metavar="KEY=VALUE",
        many=True,
        convert=key_value,
        help="An argument of the workflow",
    ),
    Option(name="--payload", metavar="JSON", help="What the work is about: JSON, @FILE or -"),
    Option(
        name="--payload-file",
        metavar="FILE",
        complete="file",
        help="The same as --payload @FILE",
    ),
    Option(
        name="--env",
        metavar="KEY=VALUE",
        many=True,
        convert=key_value,
        help="Set a variable for the command",
    ),
    Option(
        name="--cwd",
        metavar="DIR",
        complete="directory",
        convert=not_empty,
        help="Directory of the command",
    ),
)
"""What a cue runs, beside what follows `--`."""

WEBHOOK_OPTIONS = (
    Option(name="--url", metavar="URL", help="Call this address, signed, instead of running work"),
    Option(
        name="--method",
        metavar="METHOD",
        choices=("POST", "PUT", "PATCH", "GET"),
        help="Method of the call",
        shown_default="POST",
    ),
    Option(
        name="--header",
        metavar="NAME=VALUE",
        many=True,
        convert=key_value,
        help="Send a header with the call",
    ),
    Option(
        name="--allow-private",
        help="Let the call go to an address of this machine or network",
    ),
)
"""What a cue calls."""

POLICY_OPTIONS = (
    Option(
        name="--verification-mode",
        metavar="MODE",
        choices=MODES,
        help="What a run must show before it counts as verified: " + ", ".join(MODES),
    ),
    Option(
        name="--verify-command",
        metavar="COMMAND",
        help="Checker that must exit 0 after each run; implies the mode 'command'",
    ),
    Option(name="--timeout", metavar="DUR", convert=duration, help="Time limit of one attempt"),
    Option(
        name="--retries",
        metavar="N",
        convert=whole_number(0, MOST_RETRIES),
        help="How often a failed run is tried again",
    ),
    Option(
        name="--backoff",
        metavar="DUR,...",
        convert=durations,
        help="Waits before the retries; the last one repeats",
    ),
    Option(
        name="--retry-on",
        metavar="KIND,...",
        convert=retry_kinds,
        help="What is tried again: " + ", ".join(RETRY_KINDS),
    ),
    Option(
        name="--catch-up",
        metavar="HOW",
        choices=CATCH_UP,
        help="After a time without passes: latest runs once, none, or all",
    ),
    Option(
        name="--overlap",
        metavar="HOW",
        choices=OVERLAP,
        help="While an earlier run is not over: skip, queue, cancel it, or allow both",
    ),
    Option(
        name="--deadline",
        metavar="DUR",
        convert=duration,
        help="A run that starts later than this is missed",
    ),
    Option(
        name="--jitter",
        metavar="DUR",
        convert=duration,
        help="Spread the start over so long, by a shift that never changes",
    ),
    Option(
        name="--on-interrupted",
        metavar="HOW",
        choices=ON_INTERRUPTED,
        help="When a run loses its process: report it, or rerun",
    ),
    Option(
        name="--outcome-deadline",
        metavar="DUR",
        convert=duration,
        help="How long a report may come after the process has ended",
    ),
    Option(
        name="--alert",
        metavar="NAME",
        many=True,
        help="Alert sink to use, in place of 'default'",
    ),
    Option(
        name="--ping-url",
        metavar="URL",
        convert=not_empty,
        help="Tell a monitor of starts, successes and failures, as healthchecks takes them",
    ),
)
"""How sure one must be."""


def webhook_of(values: Values) -> dict[str, Any] | None:
    """Return the call that the options ask for, None when they ask for none."""
    said = {
        "url": values["url"],
        "method": values["method"],
        "headers": dict(values["header"]) or None,
        "allow_private": values["allow_private"] or None,
    }
    return {name: value for name, value in said.items() if value is not None} or None


def policy_of(values: Values) -> dict[str, Any]:
    """Return the fields of the policy that the options give."""
    from cuectl.model.policy import CATCH_UP_WORDS, OnInterrupted, Overlap

    check = values["verify_command"]
    retries = values["retries"]
    said = {
        "verification": values["verification_mode"] or ("command" if check is not None else None),
        "check": None if check is None else _split("--verify-command", check),
        "timeout_s": values["timeout"],
        "max_attempts": None if retries is None else retries + 1,
        "backoff_s": values["backoff"],
        "retry_on": values["retry_on"],
        "catch_up": CATCH_UP_WORDS.get(values["catch_up"] or ""),
        "overlap": Overlap(values["overlap"]) if values["overlap"] else None,
        "deadline_s": values["deadline"],
        "jitter_s": values["jitter"],
        "on_interrupted": _on_interrupted(values, OnInterrupted),
        "outcome_deadline_s": values["outcome_deadline"],
        "alert": values["alert"] or None,
        "ping_url": _ping_url(values["ping_url"]),
    }
    return {name: value for name, value in said.items() if value is not None}


def _ping_url(text: str | None) -> str | None:
    if text is None:
        return None
    from cuectl.model.ping import check_address

    try:
        return check_address(text)
    except UsageError as error:
        raise UsageError(f"option '--ping-url': {error.message}") from error


def _on_interrupted(values: Values, kind: Any) -> Any:
    word = values["on_interrupted"]
    return kind(word) if word else None


def _split(option: str, text: str) -> tuple[str, ...]:
    import shlex

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"option '{option}': {str(error).lower()}: '{text}'") from error
    if not words or not words[0]:
        raise UsageError(f"option '{option}': the value names no program")
    return words


def prompt_of(text: str | None) -> str | None:
    """Return the prompt that an option gives, read from its file for `@FILE`."""
    if text is None or not text.startswith("@"):
        return text
    import os

    from cuectl.store.prompt_files import read_prompt_file

    path = text[1:]
    try:
        return read_prompt_file(os.path.abspath(path))
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise UsageError(f"option '--prompt': '{path}' can't be read: {why}") from error


def draft_of(values: Values, *, cwd: str | None, cleared: frozenset[str]) -> CueDraft:
    """Return the draft that the options give.

    Args:
        values: what `run` of the command got, the three groups above, `name`, `description`
            and `argv` among it.
        cwd: directory of a command where the options name none.
        cleared: fields to empty.

    Raises:
        UsageError: a value is wrong.
    """
    import os

    from cuectl.cli.payload_option import read_payload
    from cuectl.model.cue_draft import CueDraft

    is_command = any(values[name] is not None for name in ("argv", "shell", "workflow"))
    given = values["cwd"]
    if given is not None:
        cwd = os.path.abspath(given)
    return CueDraft(
        name=values["name"],
        description=values["description"],
        cron=values["cron"],
        at=values["at"],
        every_s=values["every"],
        in_s=values["in_"],
        timezone=values["timezone"],
        manual=bool(values.get("no_schedule")),
        task=values["task"],
        argv=values["argv"],
        shell=values["shell"],
        agent=values["agent"],
        prompt=prompt_of(values["prompt"]),
        workflow=values["workflow"],
        kwargs=dict(values["kwarg"]) or None,
        webhook=webhook_of(values) if "url" in values else None,
        cwd=cwd if is_command or given is not None else None,
        env=dict(values["env"]) or None,
        policy=policy_of(values) or None,
        payload=read_payload(values["payload"], values["payload_file"]),
        cleared=cleared,
    )
