"""The checks that make a cue of a draft, or change one, wherever the draft comes from."""

from __future__ import annotations

from cuectl.cues.rules.draft import KEPT, CueDraft, changed_policy, new_policy, read_trigger
from cuectl.cues.rules.record import Cue, Origin
from cuectl.executions.rules.placement import STAY_HERE, check_placement
from cuectl.values.errors import UsageError
from cuectl.values.ids import check_name, is_cue_id
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from cuectl.values.records import Record

MOST_TEXT: Final = 4_096
_NAME_LETTERS: Final = 60


def new_cue(draft: CueDraft, *, cue_id: str, now: int, zone: str, origin: Origin) -> Cue:
    """Return the cue that a draft with a name asks for; `zone` is for one that names no zone."""
    name = _checked_name(draft.name or "")
    trigger = read_trigger(draft, now=now, zone=zone) or {"type": "manual"}
    said = _said_target(draft)
    if said is None:
        hint = "give a handler's name (--task NAME), or the command after '--'"
        raise UsageError(f"cue '{name}' has nothing to run", hint=hint)
    target = _with_surroundings(said, draft)
    return Cue(
        id=cue_id,
        name=name,
        description=_description(draft.description),
        trigger=trigger,
        target=target,
        policy=new_policy(draft, target),
        payload=draft.payload or {},
        payload_ref=draft.payload_ref,
        origin=origin,
        created_at=now,
        updated_at=now,
    )


def _checked_name(name: str) -> str:
    check_name(name, "cue")
    if is_cue_id(name):
        # An id is looked for before a name, so such a name would address another cue.
        raise UsageError(f"cue name '{name}' looks like the id of a cue")
    return name


def changed_cue(cue: Cue, draft: CueDraft, *, now: int, zone: str) -> Cue:
    """Return `cue` with what a draft says; what it leaves out stays as it is."""
    name = cue.name if draft.name is None else _checked_name(draft.name)
    payload, payload_ref = _changed_payload(cue, draft)
    changed = replace(
        cue,
        name=name,
        description=_changed_description(cue, draft),
        trigger=read_trigger(draft, now=now, zone=zone, old=cue.trigger) or cue.trigger,
        target=_changed_target(cue, draft),
        policy=changed_policy(cue.policy, draft),
        payload=payload,
        payload_ref=payload_ref,
    )
    if changed.policy.move and cue.trigger["type"] == "event":
        raise UsageError(f"cue '{cue.name}' is a subscription: an event can't be moved")
    fixed = ("trigger", "target", "name") if cue.trigger["type"] == "event" else ()
    if any(getattr(changed, part) != getattr(cue, part) for part in fixed):
        where = f"'{cue.origin.path}'" if cue.origin.path else "its file"
        message = f"cue '{cue.name}' is a subscription: its event, work and name are in a file"
        raise UsageError(message, hint=f"change them in {where}, and apply it")
    return changed if changed == cue else replace(changed, updated_at=now)


def name_from_work(draft: CueDraft) -> str:
    """Return a name for a cue that was given none: its task, or the program that it runs."""
    import shlex

    from cuectl.cues.rules.job_name import program_of

    named = draft.task or (draft.payload or {}).get("task")
    line = draft.shell or shlex.join(draft.argv or ())
    url: str = (draft.webhook or {}).get("url", "").partition("?")[0]
    work = program_of(line) if line else draft.agent or draft.workflow or url
    text = named if isinstance(named, str) and named else work
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


_BESIDE_TASK = ("argv", "shell", "webhook", "agent", "workflow")
_WORK = ("task", *_BESIDE_TASK, "prompt", "kwargs")


def _changed_target(cue: Cue, draft: CueDraft) -> Record:
    if all(getattr(draft, name) is None for name in _WORK):
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
        said = {key: cue.target[key] for key in KEPT if key in cue.target} | said
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
    others = [name for name in _BESIDE_TASK if getattr(draft, name) is not None]
    if len(others) + (task is not None) > 1:
        raise UsageError(
            "a cue runs one thing: a task, a command, a shell line, an agent, a workflow, a webhook"
        )
    if draft.agent is not None or draft.prompt is not None:
        return _turn(draft)
    if draft.workflow is not None or draft.kwargs is not None:
        return _workflow(draft)
    if draft.webhook is not None:
        from cuectl.executions.rules.webhook import check_webhook

        return check_webhook(draft.webhook)
    if task is not None:
        return {"type": "task", "task": task}
    return _command(draft)


def _turn(draft: CueDraft) -> Record:
    if draft.agent is None:
        raise UsageError("a prompt needs an agent", hint="name it: --agent NAME")
    if draft.prompt is None:
        raise UsageError(f"the agent '{draft.agent}' has no prompt", hint="give --prompt TEXT")
    if not draft.prompt.strip():
        raise UsageError(f"the prompt for the agent '{draft.agent}' is empty")
    check_name(draft.agent, "agent")
    from cuectl.events.rules.templates import misspelt

    if error := misspelt(draft.prompt):
        raise error
    return {"type": "agent", "agent": draft.agent, "prompt": draft.prompt}


def _workflow(draft: CueDraft) -> Record:
    if draft.workflow is None:
        raise UsageError("an argument needs a workflow", hint="name it: --workflow NAME")
    check_name(draft.workflow, "workflow")
    return {"type": "workflow", "workflow": draft.workflow, "kwargs": draft.kwargs or {}}


def _task(draft: CueDraft) -> str | None:
    named = (draft.payload or {}).get("task")
    is_other = any(getattr(draft, name) is not None for name in _BESIDE_TASK)
    if named is None or (draft.task is None and is_other):
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


def _command(draft: CueDraft) -> Record | None:
    if draft.shell is not None:
        if not draft.shell.strip():
            raise UsageError("the shell command line is empty")
        _check_text(draft.shell, "the shell command line")
        return {"type": "command", "shell": draft.shell}
    if draft.argv is None:
        return None
    if not draft.argv or not draft.argv[0]:
        raise UsageError("the command names no program")
    for word in draft.argv:
        _check_text(word, "the command")
    return {"type": "command", "argv": list(draft.argv)}


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise UsageError(f"{what} contains a NUL character")


def _with_surroundings(target: Record, draft: CueDraft) -> Record:
    if target["type"] == "workflow" and draft.env:
        raise UsageError("a workflow takes no variables, but arguments", hint="--kwarg KEY=VALUE")
    if draft.environment is not None:
        target = {**target, "environment": draft.environment}
    if draft.executor is not None:
        if target["type"] in STAY_HERE:
            raise UsageError(f"a {target['type']} runs here, not on an executor")
        target = {**target, "executor": check_placement(draft.executor)}
    if target["type"] not in ("command", "workflow"):
        if draft.env or draft.cwd is not None:
            word = "variables" if draft.env else "a directory"
            hint = "the handler has its own: handlers: {NAME: {cmd: ..., cwd: ..., env: {...}}}"
            raise UsageError(f"{word} can be given to a command only, not to a task", hint=hint)
        return target
    changed = dict(target)
    if draft.cwd is not None:
        _check_text(draft.cwd, "the directory")
        changed["cwd"] = draft.cwd
    if "env" in draft.cleared:
        changed.pop("env", None)
    for name, value in (draft.env or {}).items():
        if not (name.isascii() and name.isidentifier()):
            raise UsageError(f"'{name}' is not the name of a variable")
        _check_text(value, f"the variable '{name}'")
    if draft.env:
        changed["env"] = {**changed.get("env", {}), **draft.env}
    return changed
