"""What definition files say, as plain values (definitions.md); imports nothing but other values."""

from __future__ import annotations

from cuectl.executions.rules.record import DEFAULT_TIMEOUT_S, PLAIN, Overlap, Policy
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

_DAY_S = 86_400.0
RESULT_GRACE_S = 5.0

EVENT_POLICY = Policy(overlap=Overlap.QUEUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The section `settings`.

    Attributes:
        timezone: default of new cues and of `schedule_times`; None means the system's.
        handler_timeout_s: default of handlers, never a cap.
        agent_timeout_s: of one turn; `timeout_minutes` of the second page.
        timeout_on_fail: `break` or `continue`, for fan-in.
        max_concurrent: turns of one agent at once; `queue_size` events may wait for it.
        owner_agent_id: target of subscriptions that name none.
        alert_after: failures in a row that open an incident; `remind_s`: when it is reported again.
        maintenance: when nothing starts, as items of `except`.
        quiet: hours of the day in which only what is critical is sent.
        no_handler_after_s: an execution whose task has no handler is missed after this.
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
    maintenance: tuple[str, ...] = ()
    alert_after: int = 1
    remind_s: float = _DAY_S
    quiet: str | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How a task is done: `argv` without a shell, or else a command line for `sh` in `shell`.

    Attributes:
        cwd: absolute, or beginning with `~`, expanded when it is started.
        payload_file: the payload always comes in a file too.
        retry_on_exit: it and those below count where the cue's policy says nothing.
    """

    name: str
    argv: tuple[str, ...] = ()
    shell: str | None = None
    timeout_s: float | None = None
    env: dict[str, str] = field(default_factory=dict)
    cwd: str
    payload_file: bool = False
    retry_on_exit: tuple[int, ...] = ()
    never_retry_on_exit: tuple[int, ...] = ()
    output_keep_s: float | None = None
    output_limit: int | None = None
    output_on_success: str | None = None
    executor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """An agent that can be given a prompt.

    Attributes:
        id: what another system calls it; found under this as under its name.
        argv, shell: the command, for the driver `command` or instead of the driver's own.
        start_args, resume_args: added when a conversation starts, and when one is continued.
        output, empty_is_error, prompt: None leaves it to the driver.
        error_pattern: a regular expression; an answer in which it is found is an error.
        result_grace_s: how long its program may stay after its final result.
        mcp: `read` or `write`: its program is given our MCP server; None for not.
        max_concurrent, queue_size, timeout_s: None means the setting's.
        price: dollars for a million tokens, `input`, `output` and perhaps `cached`, for a program
            that does not say what it has cost.
        budget_usd: what its turns in one run of a workflow may cost; `budget_usd_per_day`: all.
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
    result_grace_s: float = RESULT_GRACE_S
    max_concurrent: int | None = None
    queue_size: int | None = None
    price: dict[str, float] | None = None
    budget_usd: float | None = None
    budget_usd_per_day: float | None = None
    executor: str | None = None


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
    """Scheduled work, as `create` would make it; the target is as in `cues/rules/record.py`.

    Attributes:
        trigger: a type with `expression` (cron), `at` (the text as written), `every_s`, or nothing
            (manual); a time zone stands beside them when the file names one.
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
        target: `{"type": "agent", "agents": [...]}`, `notify` or `send` (to an agent), else
            as in `cues/rules/record.py`.
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
    """Where alerts go; paths are absolute, or start with `~`.

    Attributes:
        kind: `stderr`, `command`, `webhook`, `mail`, `notify` or `desktop`; `none` for a sink that
            is switched off.
        secret_file: holds the key that signs what a webhook gets.
        allow_private: a webhook may go to an address of this machine or network.
        to, sender: of a mail, which goes to the server `smtp`, or through the program `sendmail`.
        urls: where `apprise` sends it; in these and in `smtp`, `${NAME}` stands for a variable.
        severity, tags, between: which alerts it wants, where it says so; `between` are hours.
    """

    name: str
    kind: str
    argv: tuple[str, ...] = ()
    cwd: str | None = None
    url: str | None = None
    secret_file: str | None = None
    allow_private: bool = False
    to: tuple[str, ...] = ()
    sender: str | None = None
    smtp: str | None = None
    sendmail: str | None = None
    urls: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    between: str | None = None

    @property
    def is_choosy(self) -> bool:
        """Whether it says which alerts it wants, and so gets them unasked."""
        return bool(self.severity or self.tags or self.between)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Variables for the cues that name it, written as those of a handler."""

    name: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDefinition:
    """Where the days of a calendar come from, all of them together; `ics` is an absolute path."""

    name: str
    country: str | None = None
    subdivision: str | None = None
    dates: tuple[str, ...] = ()
    ics: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorDefinition:
    """Other machines that run what names it: `executor: NAME`, or `NAME/LABEL` for some of them.

    Attributes:
        url: of the store between; what is secret in it, and the key, are names: `${NAME}`.
        broker: what carries the messages; None for the store itself.
        start_within_s: what no worker has taken after this is withdrawn, and missed.
        lost_after_s: what has started, and shows no sign of life for this, is given up.
        on_lost_contact: what becomes of a process whose worker reaches nobody.
        linger_s: how long a pass stays for results of what it has started.
        max_outstanding: how many may be there at once.
        strict: a worker refuses what it defines otherwise.
    """

    name: str
    type: str
    url: str
    broker: str | None = None
    key: str
    start_within_s: float = 900.0
    lost_after_s: float = 300.0
    on_lost_contact: str = "continue"
    linger_s: float = 0.0
    max_outstanding: int = 1000
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """One definition file, or several put together; `secrets` names the variables to mask."""

    settings: Settings = field(default_factory=Settings)
    secrets: tuple[str, ...] = ()
    handlers: dict[str, Handler] = field(default_factory=dict)
    agents: dict[str, AgentDefinition] = field(default_factory=dict)
    queues: dict[str, QueueDefinition] = field(default_factory=dict)
    workflows: tuple[str, ...] = ()
    cues: dict[str, CueDefinition] = field(default_factory=dict)
    subscriptions: dict[str, SubscriptionDefinition] = field(default_factory=dict)
    alerts: dict[str, AlertSink] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    calendars: dict[str, CalendarDefinition] = field(default_factory=dict)
    executors: dict[str, ExecutorDefinition] = field(default_factory=dict)
