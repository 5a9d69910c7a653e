"""One turn of an agent: the process that asks it, and the answer that this leaves behind."""

from __future__ import annotations

import contextlib
import os

from cuectl.agents.command import begins_sessions, turn_command
from cuectl.agents.drivers.driver import driver_of, empty_is_error, format_of, reader_of
from cuectl.agents.rules import Answer, PromptRequest, first_line, judge_turn
from cuectl.definitions.rules.templates import environment_value
from cuectl.executions.attempt_result import AttemptEvidence, hidden, judge_attempt
from cuectl.executions.rules.record import Cause, Execution, ExecutionStatus, Phase, Start
from cuectl.executions.rules.verdict import ReportWait, end_of
from cuectl.executions.targets import agent_directory
from cuectl.store import files, output, paths
from cuectl.store.handler_files import prompt_bytes, write_prompt
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.rules.outcome import Outcome
    from cuectl.executions.rules.record import Ended
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFiles:
    """Where a turn keeps what goes in and what comes out, as absolute paths."""

    prompt: str
    out: str  # what its program prints; also its lease
    err: str
    answer: str  # the final text, where it differs from `out`
    history: str  # the conversation, for programs whose conversations are files


def files_at(base: str) -> TurnFiles:
    """Return the files of a turn whose names start with `base`, which is absolute."""
    names = ("prompt", "out", "err", "answer")
    return TurnFiles(history=f"{base}history.md", **{name: base + name for name in names})


def files_of(home: str, execution_id: str, attempt: int, phase: Phase = Phase.MAIN) -> TurnFiles:
    """Return the files of the turn that a phase of an attempt of an execution is."""
    word = "" if phase is Phase.MAIN else f"{phase}."
    return files_at(paths.run_file(home, execution_id, attempt, word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn to run; its name in the spawn log is made of `id`, `attempt` and `phase`."""

    id: str
    attempt: int = 1
    phase: Phase = Phase.MAIN
    agent: AgentDefinition
    prompt: str
    files: TurnFiles  # in a private directory, or in one that can be made
    timeout_s: float
    idle_timeout_s: float | None = None  # how long it may print nothing; None for no limit
    env: Mapping[str, str] = field(default_factory=dict)  # the driver's and the agent's come on top
    own_env: Mapping[str, str] = field(default_factory=dict)  # the agent's own variables, filled in
    model: str | None = None
    session: str | None = None
    new_session: str | None = None  # where the program takes an id


def own_environment(
    agent: AgentDefinition, payload: dict[str, Any], lookup: Callable[[str], str | None]
) -> dict[str, str]:
    """Return the agent's variables, filled in. Raises CuectlError: one that they name is unset."""
    return {name: environment_value(text, payload, lookup) for name, text in agent.env.items()}


def session_of(turn: Turn) -> str | None:
    """Return the conversation of a turn as far as it is known before it has run."""
    if turn.session is not None or turn.new_session is None:
        return turn.session
    if not begins_sessions(turn.agent):
        return None
    is_file = driver_of(turn.agent.driver).session_is_file and not turn.agent.start_args
    return turn.files.history if is_file else turn.new_session


def process_of(turn: Turn) -> Start:
    """Write a turn's prompt; return its process. Raises CuectlError, OSError: it can't be given."""
    if not turn.prompt.strip():
        raise CuectlError("the prompt is empty")
    agent, cwd = turn.agent, agent_directory(turn.agent)
    given: dict[str, str] = {}
    if agent.mcp is not None:
        from cuectl.agents.command import with_mcp

        agent = with_mcp(agent, turn.env)
        given = {name: text for name, text in agent.env.items() if name not in turn.agent.env}
    write_prompt(turn.files.prompt, turn.prompt)
    ask = PromptRequest(
        prompt=prompt_bytes(turn.prompt).decode("utf-8", "surrogateescape"),
        prompt_file=turn.files.prompt,
        cwd=cwd,
        model=turn.model or agent.model,
        session=turn.session,
        new_session=session_of(turn) if turn.session is None else None,
    )
    command = turn_command(agent, ask)
    named = {"CUE_AGENT": agent.name, "CUE_PROMPT_FILE": turn.files.prompt}
    named |= {"CUE_EXECUTION_ID": turn.id, "CUE_ATTEMPT": str(turn.attempt)}
    if turn.session is not None:
        named["CUE_SESSION_ID"] = turn.session
    return Start(
        execution_id=turn.id,
        attempt=turn.attempt,
        phase=turn.phase,
        argv=command.argv,
        env={**turn.env, **driver_of(agent.driver).env, **named, **given, **turn.own_env},
        cwd=cwd,
        output=turn.files.out,
        timeout_s=turn.timeout_s,
        idle_timeout_s=turn.idle_timeout_s,
        result_grace_s=turn.agent.result_grace_s,
        is_final=final_test(turn.agent),
        stdin=turn.files.prompt if command.reads_prompt else None,
        errors=turn.files.err,
    )


def cause_to_end(where: TurnFiles, agent: AgentDefinition, real_s: float) -> Cause | None:
    """Return why a turn that a dead process left must end at a time by the clock of the files."""
    found = [path for path in (where.out, where.err) if os.path.exists(path)]
    silent_s = real_s - max((os.stat(path).st_mtime for path in found), default=real_s)
    ends = [output.read_end(path, ERRORS_BYTES) for path in (where.out, where.err)]
    if silent_s >= agent.result_grace_s and final_test(agent)(ends[0], ends[1]):
        return Cause.ANSWERED
    limit_s = agent.idle_timeout_s
    return Cause.IDLE if limit_s is not None and silent_s >= limit_s else None


def final_test(agent: AgentDefinition) -> Callable[[bytes, bytes], bool]:
    """Return what tells from the outputs of an agent whether the turn has its final result."""
    read = reader_of(agent)
    return lambda out, err: read(out, err).final


ERRORS_BYTES = 65_536
TAIL_BYTES = 4_096


def read_answer(where: TurnFiles, agent: AgentDefinition, masker: Masker | None) -> Answer:
    """Cut the outputs of a turn to their limit, keep its final text, and return what they say.

    Secrets are hidden in the text that is kept, not in the answer, on which is decided.
    """
    errors = _tidied(where.err)
    out = _tidied(where.out)
    answer = reader_of(agent)(out, errors[-ERRORS_BYTES:])
    error = answer.error or error_by_pattern(answer.text, agent)
    complete = answer.complete and error is None
    error = _sayable(error) if error is not None else None
    warning = _sayable(answer.warning) if answer.warning is not None else None
    said = _sayable(answer.text)
    answer = replace(answer, text=said, error=error, warning=warning, complete=complete)
    text = answer.text.encode()
    if text and text != out.rstrip(b"\r\n"):
        # The output is made of events; this is what people and the next agent want to read.
        with contextlib.suppress(OSError):
            files.replace_file(where.answer, masker.mask_bytes(text) if masker else text)
    return answer


def answer_file(where: TurnFiles) -> str:
    """Return the path of the file with the final text of a turn that was read before."""
    return where.answer if os.path.exists(where.answer) else where.out


def final_text(where: TurnFiles, limit: int = output.LIMIT_BYTES) -> str:
    """Return the end of the final text of a turn that was read before; empty if it is gone."""
    try:
        return output.read_end(answer_file(where), limit).decode("utf-8", "replace").rstrip("\r\n")
    except OSError:
        return ""


def _sayable(text: str) -> str:
    """Return a text with nothing in it that UTF-8 can't say."""
    return text.encode("utf-8", "replace").decode()


def _tidied(path: str) -> bytes:
    size = output.size(path)
    if not size:
        return b""
    # On a full disk it stays as long as it is.
    with contextlib.suppress(OSError):
        output.tidy(path, size, None)
    try:
        # A note stands where something was left out, so it may be a little longer.
        return output.read_end(path, output.LIMIT_BYTES + TAIL_BYTES)
    except OSError:
        return b""


def error_by_pattern(text: str, agent: AgentDefinition) -> str | None:
    """Return the line of an answer that its agent's definition calls an error."""
    if agent.error_pattern is None:
        return None
    import re

    found = re.search(agent.error_pattern, text, re.MULTILINE)
    if found is None:
        return None
    start = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return text[start : end if end >= 0 else len(text)]


def with_answer(
    found: AttemptEvidence, where: TurnFiles, ended: Ended, agent: AgentDefinition
) -> AttemptEvidence:
    """Return what was found in the files that every attempt has, with the answer of the turn."""
    masker = found.masker
    answer = read_answer(where, agent, masker)
    answered = ended.cause is Cause.ANSWERED or (answer.final and ended.cause in _LIMITS)
    by_itself = answered or (ended.exit_code is not None and ended.cause is None)
    code = agent.ok_exit[0] if answered else ended.exit_code or 0
    judged = judge_turn(answer, code, empty_is_error=empty_is_error(agent), ok_exits=agent.ok_exit)
    error = judged.error if by_itself else answer.error
    errors = output.read_end(where.err, TAIL_BYTES).decode("utf-8", "replace")
    problem = error if by_itself or ended.lost else None
    if problem is None and ended.cause in _LIMITS:
        problem = answer.error or answer.warning or errors.strip().rpartition("\n")[2] or None
    return replace(
        found,
        outcome=_outcome(found.outcome, answer, error, lost=ended.lost and not answered),
        tail=answer.text or errors,
        text=masker.mask(answer.text) if masker else answer.text,
        exit_code=judged.exit_code if by_itself else None,
        problem=first_line(problem) if problem is not None else None,
        answered=answered,
    )


# What cuectl ends of its own accord; a person who cancels wants no answer.
_LIMITS = (Cause.TIMEOUT, Cause.IDLE, Cause.SHUTDOWN)


def _outcome(outcome: Outcome, answer: Answer, error: str | None, *, lost: bool) -> Outcome:
    facts = answer.metadata()
    if facts:
        outcome = replace(outcome, metadata={**(outcome.metadata or {}), **facts})
    if error is not None:
        # What the program says of itself counts whatever the outcome says of the work.
        outcome = replace(outcome, error=end_of(error.strip(), "error"))
        return replace(outcome, success=False) if lost else outcome
    if outcome.reported:
        return outcome
    # No process saw its exit, but its format says explicitly that it worked.
    success = True if lost and answer.complete else None
    return replace(outcome, success=success, result=end_of(answer.text, "result"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnd:
    """What came of a turn; of one that did not succeed, `text` is what there is of it."""

    status: ExecutionStatus  # interrupted when its end is unknown
    reason: str | None = None  # why it did not succeed
    text: str = ""  # the final text
    error: str | None = None  # what the program said of its failure
    session: str | None = None
    cost_usd: float | None = None
    usage: Record = field(default_factory=dict)
    counts_thread: bool = False  # `usage` is that of the whole conversation, earlier turns included
    model: str | None = None
    duration_s: float | None = None
    files: TurnFiles

    @property
    def succeeded(self) -> bool:
        """Whether the turn worked."""
        return self.status is ExecutionStatus.SUCCEEDED


def end_of_turn(turn: Turn, ended: Ended, masker: Masker | None) -> TurnEnd:
    """Return what came of a turn that is no execution, judged as one."""
    found = AttemptEvidence(masker=masker)
    if ended.spawn_error is None:
        found = with_answer(found, turn.files, ended, turn.agent)
    verdict = judge_attempt(
        stand_in(turn, ended.ended_at),
        ended,
        found,
        started_real_ms=0,
        report=ReportWait.NONE,
        limit_s=turn.timeout_s,
        idle_s=turn.idle_timeout_s,
    )
    facts: Record = found.outcome.metadata or {}
    succeeded = verdict.status is ExecutionStatus.SUCCEEDED
    return TurnEnd(
        status=verdict.status,
        reason=hidden(verdict.reason or None, masker),
        text=found.text or "",
        error=hidden(None if succeeded else verdict.error, masker),
        session=facts.get("session") or session_of(turn),
        cost_usd=facts.get("cost_usd"),
        usage=facts.get("usage") or {},
        counts_thread=format_of(turn.agent).counts_thread,
        model=facts.get("model") or turn.agent.model,
        duration_s=ended.duration_s,
        files=turn.files,
    )


def stand_in(turn: Turn, now: int) -> Execution:
    """Return an execution that is only this turn, for the rules that judge one."""
    return Execution(
        id=turn.id,
        cue_id="",
        cue_name=turn.agent.name,
        status=ExecutionStatus.RUNNING,
        scheduled_for=now,
        root_id=turn.id,
    )
