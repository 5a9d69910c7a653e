"""What to know about a cue that was made all the same; `create`, `update` and `chain` say it.

The cue may be right: a handler, a sink or a directory may come later. Saying nothing would
leave the mistake to be found at night.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.model.cue import Cue

_RETRYING = {"backoff": "--backoff", "retry_on": "--retry-on"}
_REPEATING = {"jitter": "--jitter", "catch_up": "--catch-up", "deadline": "--deadline"}


def warn_of_nobody(call: Call, cue: Cue) -> None:
    """Say that nobody knows the task of a cue, or its agent."""
    if cue.target["type"] == "agent":
        hint = "define it under 'agents' in ~/.cue/cue.yaml"
        call.out.warn(f"nobody here knows the agent '{cue.target['agent']}' yet", hint=hint)
        return
    hint = "define it under 'handlers' in ~/.cue/cue.yaml, or start a worker that has it"
    call.out.warn(f"nobody here knows the task '{cue.target['task']}' yet", hint=hint)


def warn_of_sinks(call: Call, unknown: tuple[str, ...]) -> None:
    """Say that alerts of a cue would get nowhere."""
    for name in unknown:
        hint = "define it under 'alerts' in ~/.cue/cue.yaml; its alerts get nowhere until then"
        call.out.warn(f"nobody here knows the alert sink '{name}' yet", hint=hint)


def warn_of_options(call: Call, cue: Cue, values: dict[str, Any]) -> None:
    """Say which of the options that were given change nothing about a cue as it is now."""
    for message, hint in _idle_options(cue, values):
        call.out.warn(message, hint=hint)
    if values.get("cwd") is not None:
        _warn_of_directory(call, cue)


def _idle_options(cue: Cue, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if cue.policy.max_attempts == 1:
        for name in _given(values, _RETRYING):
            yield f"'{name}' has no effect without retries", "say how many: --retries N"
    # A child that waits for a verdict has no schedule of its own, but will have a time.
    if cue.trigger["type"] == "manual" and cue.origin.when is None:
        for name in _given(values, _REPEATING):
            hint = "say when it fires: --cron, --at, --every or --in"
            yield f"'{name}' has no effect without a schedule", hint


def _given(values: dict[str, Any], options: dict[str, str]) -> list[str]:
    return [option for name, option in options.items() if values.get(name) is not None]


def _warn_of_directory(call: Call, cue: Cue) -> None:
    import os

    cwd = cue.target.get("cwd")
    if cwd is not None and not os.path.isdir(cwd):
        call.out.warn(f"there is no directory '{cwd}' yet", hint="runs fail until it is there")
