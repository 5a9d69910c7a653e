"""A cue as somebody asks for it, and the checks that make a cue of it, or change one.

The command line, definition files, chains and the HTTP interface all go through here, so
a cue that exists has passed the same rules wherever it came from.
"""

from __future__ import annotations

from typing import Any, Final

from cuectl.model.cue import Cue, Origin
from cuectl.model.draft_policy import check_policy, cleared_policy, new_policy, said_policy
from cuectl.model.draft_trigger import read_trigger
from cuectl.model.errors import UsageError
from cuectl.model.ids import is_cue_id
from cuectl.model.names import check_name
from cuectl.model.values import dataclass, replace

Record = dict[str, Any]

MOST_TEXT: Final = 4_096
_NAME_LETTERS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CueDraft:
    """What was asked for; None is what was not said.

    Attributes:
        cron: a cron expression.
        at: a point in time, in any of the forms of `moments.parse_moment`.
        every_s: seconds between two fires.
        in_s: seconds from now to the one fire.
        timezone: an IANA name, for `cron` and for local times in `at`.
        manual: fires by hand only.
        task: the name of a handler.
        argv, shell: a command, without a shell or for one.
        webhook: what to call: `url`, `method`, `headers`, `allow_private`.
        agent, prompt: who is asked, and what.
        workflow, kwargs: what is run, and with which arguments.
        cwd: absolute, of a command.
        env: variables of a command.
        policy: fields of `Policy` by name.
        payload: an object, checked by `json_limits.payload_object`.
        cleared: fields to be emptied: `description`, `payload`, `env`, or a field of `Policy`.
    """

    name: str | None = None
    description: str | None = None
    cron: str | None = None
    at: str | None = None
    every_s: float | None = None
    in_s: float | None = None
    timezone: str | None = None
    manual: bool = False
    task: str | None = None
    argv: tuple[str, ...] | None = None
    shell: str | None = None
    webhook: Record | None = None
    agent: str | None = None
    prompt: str | None = None
    workflow: str | None = None
    kwargs: Record | None = None
    cwd: str | None = None
    env: dict[str, str] | None = None
    policy: Record | None = None
    payload: Record | None = None
    payload_ref: str | None = None
    cleared: frozenset[str] = frozenset()


def new_cue(draft: CueDraft, *, cue_id: str, now: int, zone: str, origin: Origin) -> Cue:
    """Return the cue that a draft asks for.

    Args:
        draft: with a name.
        cue_id: a fresh id.
        now: the instant of the change.
        zone: the time zone where the draft names none.
        origin: where it comes from.

    Raises:
        UsageError: something in the draft is wrong, or there is nothing to run.
    """
    name = draft.name or ""
    check_cue_name(name)
    trigger = read_trigger(draft, now=now, zone=zone)
    target = _new_target(draft)
    return Cue(
        id=cue_id,
        name=name,
        description=_description(draft.description),
        trigger=trigger or {"type": "manual"},
        target=target,
        policy=new_policy(draft, target),
        payload=draft.payload or {},
        payload_ref=draft.payload_ref,
        origin=origin,
        created_at=now,
        updated_at=now,
    )


def check_cue_name(name: str) -> None:
    """Check that `name` can name a cue: a name, and not what an id looks like.

    An id is looked for before a name, so such a name would address another cue.

    Raises:
        UsageError: it can't.
    """
    check_name(name, "cue")
    if is_cue_id(name):
        raise UsageError(f"cue name '{name}' looks like the id of a cue")


def changed_cue(cue: Cue, draft: CueDraft, *, now: int, zone: str) -> Cue:
    """Return `cue` with what a draft says; what it leaves out stays as it is.

    Raises:
        UsageError: something in the draft is wrong.
    """
    if draft.name is not None:
        check_cue_name(draft.name)
    policy = replace(cue.policy, **(cleared_policy(draft) | said_policy(draft)))
    payload, payload_ref = _changed_payload(cue, draft)
    changed = replace(
        cue,
        name=draft.name or cue.name,
        description=_changed_description(cue, draft),
        trigger=read_trigger(draft, now=now, zone=zone, old=cue.trigger) or cue.trigger,
        target=_changed_target(cue, draft),
        policy=check_policy(policy),
        payload=payload,
        payload_ref=payload_ref,
    )
    if cue.trigger["type"] == "event":
        _refuse_of_subscription(cue, changed)
    return changed if changed == cue else replace(changed, updated_at=now)


def _refuse_of_subscription(old: Cue, new: Cue) -> None:
    """Refuse what only the definition file of a subscription can say."""
    if (new.trigger, new.target, new.name) == (old.trigger, old.target, old.name):
        return
    where = f" '{old.origin.path}'" if old.origin.path else ""
    message = f"cue '{old.name}' is a subscription: its event, work and name stand in a file"
    raise UsageError(message, hint=f"change them in{where or ' its file'}, and apply it")


def name_from_work(draft: CueDraft) -> str:
    """Return a name for a cue that was given none: its task, or the program that it runs."""
    named = draft.task or (draft.payload or {}).get("task")
    words = list(draft.argv or ()) or (draft.shell or "").split()
    words = words or [
        draft.agent or draft.workflow or (draft.webhook or {}).get("url", "").partition("?")[0]
    ]
    text = named if isinstance(named, str) and named else (words[0] if words else "")
    last = text.rstrip("/").rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in last)
    return plain[:_NAME_LETTERS].strip(".-_") or "cue"


def _changed_payload(cue: Cue, draft: CueDraft) -> tuple[Record, str | None]:
    if draft.payload is not None or draft.payload_ref is not None or "payload" in draft.cleared:
        return draft.payload or {}, draft.payload_ref
    if draft.task is not None and "task" in cue.payload:
        # The task in a payload is what chooses the handler, so it must not stay behind.
        return {**cue.payload, "task": draft.task}, cue.payload_ref
    return cue.payload, cue.payload_ref


def _description(text: str | None) -> str | None:
    if text is not None and len(text) > MOST_TEXT:
        raise UsageError(f"the description has more than {MOST_TEXT} characters")
    return text or None


def _changed_description(cue: Cue, draft: CueDraft) -> str | None:
    if "description" in draft.cleared:
        return None
    return cue.description if draft.description is None else _description(draft.description)


# --- what runs -----------------------------------------------------------------------------


def _new_target(draft: CueDraft) -> Record:
    said = _said_target(draft)
    if said is None:
        hint = "give a handler's name (--task NAME), or the command after '--'"
        raise UsageError(f"cue '{draft.name}' says nothing to run", hint=hint)
    return _with_surroundings(said, draft)


def _changed_target(cue: Cue, draft: CueDraft) -> Record:
    said_kinds = (draft.task, draft.argv, draft.shell, draft.webhook, draft.agent, draft.prompt)
    if all(said is None for said in (*said_kinds, draft.workflow, draft.kwargs)):
        return _with_surroundings(_task_of_payload(cue, draft), draft)
    if draft.webhook is not None and cue.target["type"] == "webhook":
        # What is not said of the call stays as it was.
        draft = replace(draft, webhook={**cue.target, **draft.webhook})
    if cue.target["type"] == "agent" and (draft.agent is None) != (draft.prompt is None):
        # Who is asked, or what, stays as it was.
        if draft.prompt is None:
            check_name(draft.agent or "", "agent")
            return _with_surroundings({**cue.target, "agent": draft.agent}, draft)
        draft = replace(draft, agent=cue.target["agent"])
    if cue.target["type"] == "workflow" and (draft.workflow is None) != (draft.kwargs is None):
        # Which workflow, or with what, stays as it was.
        name, kwargs = draft.workflow or cue.target["workflow"], cue.target.get("kwargs")
        draft = replace(draft, workflow=name, kwargs=draft.kwargs or kwargs)
    said = _said_target(draft) or cue.target
    if said["type"] == cue.target["type"] == "command":
        # A new command line keeps the place and the variables of the old one.
        said = {key: cue.target[key] for key in ("cwd", "env") if key in cue.target} | said
    elif said["type"] == cue.target["type"] == "workflow" and "cwd" in cue.target:
        said = {"cwd": cue.target["cwd"]} | said
    return _with_surroundings(said, draft)


def _task_of_payload(cue: Cue, draft: CueDraft) -> Record:
    """Let a new payload choose the task, if it is the payload that has chosen it so far."""
    named = (draft.payload or {}).get("task")
    if cue.target["type"] != "task" or not isinstance(named, str) or not named:
        return cue.target
    if cue.payload.get("task", cue.target["task"]) != cue.target["task"]:
        return cue.target
    return {**cue.target, "task": named}


def _said_target(draft: CueDraft) -> Record | None:
    """Return the target that a draft names, without its surroundings; None when it names none."""
    task = _task(draft)
    said = (task, draft.argv, draft.shell, draft.webhook, draft.agent, draft.workflow)
    if sum(kind is not None for kind in said) > 1:
        raise UsageError(
            "a cue runs one thing: a task, a command, a shell line, an agent, a workflow, a webhook"
        )
    if draft.agent is not None or draft.prompt is not None:
        return _turn(draft)
    if draft.workflow is not None or draft.kwargs is not None:
        return _workflow(draft)
    if draft.webhook is not None:
        from cuectl.model.webhook import check_webhook

        return check_webhook(draft.webhook)
    if task is not None:
        return {"type": "task", "task": task}
    if draft.shell is not None:
        return {"type": "command", "shell": _line(draft.shell)}
    if draft.argv is not None:
        return {"type": "command", "argv": _words(draft.argv)}
    return None


def _turn(draft: CueDraft) -> Record:
    if draft.agent is None:
        raise UsageError("a prompt needs an agent", hint="name it: --agent NAME")
    if draft.prompt is None:
        raise UsageError(f"the agent '{draft.agent}' has no prompt", hint="give --prompt TEXT")
    if not draft.prompt.strip():
        raise UsageError(f"the prompt for the agent '{draft.agent}' is empty")
    check_name(draft.agent, "agent")
    from cuectl.model.event_templates import unknown_variables

    for unknown in unknown_variables(draft.prompt):
        hint = f"did you mean '{{{{{unknown.nearest}}}}}'?" if unknown.nearest else None
        raise UsageError(f"'{{{{{unknown.name}}}}}' in the prompt is not a variable", hint=hint)
    return {"type": "agent", "agent": draft.agent, "prompt": draft.prompt}


def _workflow(draft: CueDraft) -> Record:
    if draft.workflow is None:
        raise UsageError("an argument needs a workflow", hint="name it: --workflow NAME")
    check_name(draft.workflow, "workflow")
    return {"type": "workflow", "workflow": draft.workflow, "kwargs": draft.kwargs or {}}


def _task(draft: CueDraft) -> str | None:
    named = (draft.payload or {}).get("task")
    others = (draft.argv, draft.shell, draft.webhook, draft.agent, draft.workflow)
    is_command = any(one is not None for one in others)
    if named is None or (draft.task is None and is_command):
        task = draft.task
    elif not isinstance(named, str) or not named:
        raise UsageError("'task' in the payload is not the name of a handler")
    elif draft.task not in (None, named):
        raise UsageError(f"the payload has the task '{named}', not '{draft.task}'")
    else:
        task = named
    if task is not None:
        check_name(task, "task")
    return task


def _words(argv: tuple[str, ...]) -> list[str]:
    if not argv or not argv[0]:
        raise UsageError("the command names no program")
    for word in argv:
        _check_text(word, "the command")
    return list(argv)


def _line(shell: str) -> str:
    if not shell.strip():
        raise UsageError("the shell command line is empty")
    _check_text(shell, "the shell command line")
    return shell


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise UsageError(f"{what} contains a NUL character")


def _with_surroundings(target: Record, draft: CueDraft) -> Record:
    if target["type"] == "workflow" and draft.env:
        raise UsageError("a workflow takes no variables, but arguments", hint="--kwarg KEY=VALUE")
    if target["type"] not in ("command", "workflow"):
        _refuse_surroundings(draft)
        return target
    changed = dict(target)
    if draft.cwd is not None:
        _check_text(draft.cwd, "the directory")
        changed["cwd"] = draft.cwd
    if "env" in draft.cleared:
        changed.pop("env", None)
    if draft.env:
        _check_env(draft.env)
        changed["env"] = {**changed.get("env", {}), **draft.env}
    return changed


def _check_env(env: dict[str, str]) -> None:
    for name, value in env.items():
        if not (name.isascii() and name.isidentifier()):
            raise UsageError(f"'{name}' is no name of a variable")
        _check_text(value, f"the variable '{name}'")


def _refuse_surroundings(draft: CueDraft) -> None:
    if draft.env or draft.cwd is not None:
        word = "variables" if draft.env else "a directory"
        hint = "the handler has its own: handlers: {NAME: {cmd: ..., cwd: ..., env: {...}}}"
        raise UsageError(f"{word} can be given to a command only, not to a task", hint=hint)
