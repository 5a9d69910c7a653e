"""What definition files say, as plain values (definitions.md).

`store/definition_checks.py` makes them from YAML; passes read them from their compiled JSON,
so this module imports nothing but other values.
"""

from __future__ import annotations

from typing import Any

from cuectl.model.policy import DEFAULT_TIMEOUT_S, PLAIN, Overlap, Policy
from cuectl.model.values import dataclass, field

Record = dict[str, Any]

_DAY_S = 86_400.0

EVENT_POLICY = Policy(overlap=Overlap.QUEUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The section `settings`.

    Attributes:
        timezone: default of new cues and of `schedule_times`; None means the system's.
        max_parallel: executions at once, over all passes.
        handler_timeout_s: default of handlers, never a cap.
        agent_timeout_s: of one turn; `timeout_minutes` of the second page.
        timeout_on_fail: `break` or `continue`, for fan-in.
        max_concurrent: turns of one agent at once.
        queue_size: events that wait for one agent.
        owner_agent_id: target of subscriptions that name none.
        no_handler_after_s: an execution whose task nobody knows is missed after this.
        given: names of the fields that the file says; the others have their defaults.
    """

    timezone: str | None = None
    max_parallel: int = 16
    handler_timeout_s: float = DEFAULT_TIMEOUT_S
    agent_timeout_s: float = 1800.0
    timeout_on_fail: str = "break"
    max_concurrent: int = 1
    queue_size: int = 512
    owner_agent_id: str | None = None
    keep_output_s: float = 30 * _DAY_S
    keep_journal_s: float = 400 * _DAY_S
    no_handler_after_s: float = 900.0
    ping_url: str | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How a task is done.

    Attributes:
        argv: program and arguments, run without a shell; or empty.
        shell: a command line for `sh`; or None. One of the two is there.
        timeout_s: None means the setting's.
        cwd: absolute, or beginning with `~`, which whoever starts it expands.
        payload_file: the payload always comes in a file too.
    """

    name: str
    argv: tuple[str, ...] = ()
    shell: str | None = None
    timeout_s: float | None = None
    env: dict[str, str] = field(default_factory=dict)
    cwd: str
    payload_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """Somebody who can be given a prompt.

    Attributes:
        id: what another system calls it; found under this as under its name.
        argv, shell: the command, for the driver `command` or in place of the driver's own.
        args: added to the driver's arguments.
        start_args, resume_args: added when a conversation begins, and when one goes on.
        output: how the output is read: the name of a driver, `text` or `json`; None leaves it
            to the driver.
        ok_exit: exit codes that are no failure.
        empty_is_error: an empty answer is a failure; None leaves it to the driver.
        error_pattern: a regular expression; an answer in which it is found is an error.
        prompt: how the prompt gets in: `stdin`, `arg` or `file`; None leaves it to the driver.
        mcp: `read` or `write`: its program is given our MCP server; None for not.
        max_concurrent, queue_size, timeout_s: None means the setting's.
    """

    name: str
    driver: str
    id: str | None = None
    argv: tuple[str, ...] = ()
    shell: str | None = None
    args: tuple[str, ...] = ()
    start_args: tuple[str, ...] = ()
    resume_args: tuple[str, ...] = ()
    output: str | None = None
    ok_exit: tuple[int, ...] = (0,)
    empty_is_error: bool | None = None
    error_pattern: str | None = None
    cwd: str
    model: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    prompt: str | None = None
    mcp: str | None = None
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    max_concurrent: int | None = None
    queue_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDefinition:
    """A named queue of work for one agent."""

    name: str
    agent: str
    max_parallel: int = 1
    timeout_s: float | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CueDefinition:
    """Scheduled work, as `create` would make it.

    Attributes:
        trigger: `{"type": "cron", "expression"}`, `{"type": "at", "at"}` with the text as it
            is written, `{"type": "every", "every_s"}` or `{"type": "manual"}`; a time zone
            stands beside them when the file names one.
        target: as in `model/cue.py`.
    """

    name: str
    description: str | None = None
    trigger: Record
    target: Record
    policy: Policy = PLAIN
    payload: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionDefinition:
    """Work that an event starts.

    Attributes:
        event: its type.
        target: `{"type": "agent", "agents": [...]}`, `notify` or `send` (to an agent), else
            as in `model/cue.py`.
        values: everything else that the file says, checked, under the names of the file.
    """

    name: str
    description: str | None = None
    event: str
    enabled: bool = True
    target: Record
    policy: Policy = EVENT_POLICY
    values: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSink:
    """Where alerts go.

    Attributes:
        kind: `stderr`, `command` or `webhook`; `none` for a sink that is switched off.
        cwd: where a command runs; absolute, or with `~`.
        secret_file: holds the key that signs what a webhook gets; absolute, or with `~`.
        allow_private: a webhook may go to an address of this machine or network.
    """

    name: str
    kind: str
    argv: tuple[str, ...] = ()
    cwd: str | None = None
    url: str | None = None
    secret_file: str | None = None
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """One definition file, or several put together.

    Attributes:
        secrets: names of variables whose values are masked wherever text is kept.
        workflows: Python files and directories, absolute or beginning with `~`.
    """

    settings: Settings = field(default_factory=Settings)
    secrets: tuple[str, ...] = ()
    handlers: dict[str, Handler] = field(default_factory=dict)
    agents: dict[str, AgentDefinition] = field(default_factory=dict)
    queues: dict[str, QueueDefinition] = field(default_factory=dict)
    workflows: tuple[str, ...] = ()
    cues: dict[str, CueDefinition] = field(default_factory=dict)
    subscriptions: dict[str, SubscriptionDefinition] = field(default_factory=dict)
    alerts: dict[str, AlertSink] = field(default_factory=dict)
