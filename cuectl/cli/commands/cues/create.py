"""`cuectl create` and `cuectl chain`: make a cue, by itself or as a child."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.cues.options import (
    POLICY_OPTIONS,
    SCHEDULE_OPTIONS,
    WEBHOOK_OPTIONS,
    WORK_OPTIONS,
    draft_of,
)
from cuectl.cli.commands.reading import next_line
from cuectl.cli.frame.declare import Option, command, not_empty
from cuectl.values.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.run import Call
    from cuectl.cues.create import Chained, Drafted

_WORK = "argv shell task agent prompt workflow payload payload_file url".split()
_RETRYING = {"backoff": "--backoff", "retry_on": "--retry-on"}
_REPEATING = {
    "jitter": "--jitter",
    "catch_up": "--catch-up",
    "deadline": "--deadline",
    "expect_by": "--expect-by",
}
_NAME = Option("--name NAME", "Its name; by default after its command")
_DESCRIPTION = Option("--description TEXT", "A description")


@command(
    "create",
    _NAME,
    *SCHEDULE_OPTIONS,
    Option(
        "--transport HOW",
        "How to run it: worker runs it here, webhook calls --url",
        choices=("worker", "webhook"),
    ),
    *WORK_OPTIONS,
    *WEBHOOK_OPTIONS,
    *POLICY_OPTIONS,
    _DESCRIPTION,
    argv="Command to run, without a shell",
    see="next, update, chain, run-due",
)
def create(call: Call, *, transport: str | None, **values: Any) -> None:
    """Create a cue from --cron, --at, --every or --in.

    Makes a cue: when it fires, what it runs, and how to check that it worked. Give at most one of
    --cron, --at, --every and --in; without one, the cue runs only when you fire it (cuectl fire).

    It runs a handler (--task NAME, or the 'task' in the payload), the command after '--' without a
    shell, or a command line for sh (--shell). A command runs in the directory where you made the
    cue, unless you give --cwd; PATH and the other variables are those of the pass. With --url the
    pass calls the address instead, and an answer of 2xx is success.

    Prints the id of the cue, and when it fires next.
    """
    from cuectl.cues.create import create_cue

    if transport == "webhook" and values["url"] is None:
        raise UsageError("a webhook needs an address", hint="give it: --url https://...")
    if transport == "worker" and values["url"] is not None:
        raise UsageError("option '--url': the transport worker takes no address")
    _refuse_nothing(values, "./backup.sh")
    draft = draft_of(values, cwd=_directory(values), cleared=frozenset())
    made = create_cue(call.runtime, draft)
    report(call, made, values, payload=draft.payload)


def _refuse_nothing(values: dict[str, Any], example: str) -> None:
    if all(values.get(name) is None for name in _WORK):
        hint = f"name a handler (--task NAME), or put the command last: -- {example}"
        raise UsageError("expected something to run", hint=hint)


def _directory(values: dict[str, Any]) -> str | None:
    if all(values[name] is None for name in ("argv", "shell", "workflow")):
        return None
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory is gone", hint="give --cwd DIR") from error


def report(
    call: Call, made: Drafted, values: dict[str, Any], *, payload: dict[str, Any] | None
) -> None:
    """Print a cue that was made or changed, and what its user should know now."""
    from cuectl.cues.schedule import with_fires

    made.state = with_fires(call.reader(), call.runtime, made.cue, made.state, 1)
    _print(call, made, payload if made.cue.payload_ref else None)
    _warn(call, made, values)
    if made.state.next_at is not None:
        _tell_of_the_scheduler(call)


def _print(call: Call, made: Drafted | Chained, payload: dict[str, Any] | None = None) -> None:
    from cuectl.cues.rules.record import cue_view

    lines = [f"{made.cue.id}  {made.cue.name}"]
    if not call.out.quiet:
        lines.append(next_line(call, made.cue, made.state, call.runtime.now()))
    call.out.record(call.shown(cue_view(made.cue, made.state, payload)), lines)


def _warn(call: Call, made: Drafted | Chained, values: dict[str, Any]) -> None:
    for message, hint in _doubts(made, values):
        call.out.warn(message, hint=hint)
    if (name := values.get("environment")) is not None:
        from cuectl.definitions.in_force import definitions_now

        in_force = definitions_now(call.reader(), call.runtime.home)
        if name not in in_force.definitions.environments:
            hint = "define it under 'environments' in ~/.cue/cue.yaml; runs fail until then"
            call.out.warn(f"no environment '{name}' is defined yet", hint=hint)
    cwd = made.cue.target.get("cwd")
    if values.get("cwd") is not None and cwd is not None and not os.path.isdir(cwd):
        call.out.warn(f"there is no directory '{cwd}' yet", hint="runs fail until it is there")


def _doubts_of_prompt(prompt: str) -> Iterator[tuple[str, str]]:
    from cuectl.cues.section import names_file
    from cuectl.events.rules.templates import unknown_variables

    for unknown in unknown_variables(prompt):
        hint = "all of them: cuectl help templates"
        yield f"'{{{{{unknown.name}}}}}' in the prompt is not a variable, and stays so", hint
    if names_file(prompt, os.getcwd()):
        hint = f"did you mean '--prompt @{prompt.strip()}'?"
        yield "the prompt is the path of a file, not its text", hint


def _doubts(made: Drafted | Chained, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    cue = made.cue
    if not made.known_task and cue.target["type"] == "agent":
        hint = "define it under 'agents' in ~/.cue/cue.yaml"
        yield f"no agent is defined with the name '{cue.target['agent']}' yet", hint
    elif not made.known_task:
        hint = "define it under 'handlers' in ~/.cue/cue.yaml, or start a worker that has it"
        yield f"no handler is defined for the task '{cue.target['task']}' yet", hint
    yield from _doubts_of_prompt(cue.target.get("prompt") or "" if values.get("prompt") else "")
    for name in made.unknown_sinks if values.get("alert") else ():
        hint = (
            "define it under 'alerts' in ~/.cue/cue.yaml; until then its alerts are not delivered"
        )
        yield f"no alert sink is defined with the name '{name}' yet", hint
    if cue.policy.max_attempts == 1 and cue.policy.retry_for_s is None:
        for option in _given(values, _RETRYING):
            yield f"'{option}' has no effect without retries", "say how many: --retries N"
    # A child that waits for a verdict has no schedule of its own, but will have a time.
    if cue.trigger["type"] == "manual" and cue.origin.when is None:
        for option in _given(values, _REPEATING):
            hint = "say when it fires: --cron, --at, --every or --in"
            yield f"'{option}' has no effect without a schedule", hint


def _given(values: dict[str, Any], options: dict[str, str]) -> list[str]:
    return [option for name, option in options.items() if values.get(name) is not None]


def _tell_of_the_scheduler(call: Call) -> None:
    from cuectl.cues.create import scheduler_seen

    if not call.out.stderr.isatty() or scheduler_seen(call.runtime):
        return
    from cuectl.installation.open_work import install_command

    install = install_command(call.runtime.home, call.environment)
    call.out.tell(f"note: nothing is running your cues yet; start with: {install}")


@command(
    "chain",
    _NAME,
    *SCHEDULE_OPTIONS,
    Option(
        "--when VERDICT",
        "Wait for the parent's verdict: success, failure, or always",
        choices=("success", "failure", "always"),
    ),
    Option("--key KEY", "Create at most one child per key and parent", not_empty),
    *WORK_OPTIONS,
    *POLICY_OPTIONS,
    _DESCRIPTION,
    argv="Command to run, without a shell",
    exits={
        5: "the calling execution is not running",
        6: "another cue has the name",
        8: "the chain is too deep, or made too many cues",
    },
    see="chain show, report, create",
)
def chain(call: Call, *, when: str | None, key: str | None, **values: Any) -> None:
    """Schedule the next step.

    Call it inside a handler: it makes a cue that is a child of the running execution, in the same
    chain. Without a schedule it is due at once; otherwise as --at, --in or --cron says. With --when
    it waits until the parent finishes, retries and verification included, and runs only after that
    verdict; --in then counts from there.

    A retried handler does not schedule its next step twice: a later attempt of the same execution
    with the same --name or --key gets the existing child. A chain is at most 16 deep, and makes at
    most 200 cues an hour.
    """
    from cuectl.cues.create import chain_cue
    from cuectl.cues.rules.record import parent_from
    from cuectl.store.fleet_files import ASKS_VARIABLE

    parent = parent_from(call.runtime.environment)
    _refuse_nothing(values, "./next.sh")
    delay = None
    if when is not None:
        if values["cron"] or values["every"]:
            raise UsageError("'--when' goes with --at or --in, not with a schedule that repeats")
        # `--in` counts from the release, whose time is not known yet.
        delay, values["in_"] = values["in_"], None
    draft = draft_of(values, cwd=_directory(values), cleared=frozenset())
    if ASKS_VARIABLE in call.environment:
        from cuectl.cues.asks import ask_for_child
        from cuectl.cues.rules.record import cue_view

        made = ask_for_child(call.runtime, parent, draft, when=when, key=key, delay_s=delay)
        lines = [f"{made.cue.id}  {made.cue.name}", "asked for; it is made where the store is"]
        call.out.record(cue_view(made.cue, made.state), lines[: 1 if call.out.quiet else 2])
        return
    made = chain_cue(call.runtime, parent, draft, when=when, key=key, delay_s=delay)
    _print(call, made)
    if made.is_new:
        _warn(call, made, values)
    else:
        call.out.tell("it exists already; nothing was changed")
