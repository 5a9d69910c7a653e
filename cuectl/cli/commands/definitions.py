"""Definition files: `apply`, `diff`, `validate`, and trying their filters and prompts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cuectl.cli.frame.declare import Argument, Option, command
from cuectl.values.errors import CuectlError, ExitStatus, UsageError
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.applying.apply import AppliedFile
    from cuectl.cli.frame.output import Line
    from cuectl.cli.frame.run import Call
    from cuectl.definitions.fields import DefinitionProblem
    from cuectl.values.records import Record

_FILE = Argument("[FILE]", "Definition file; cue.yaml by default", complete="file")
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}
_CHANGE_COLOURS = {"+": "green", "-": "red", "~": "yellow"}
_UNANSWERED = {3: "a line could not be answered"}
LINE_BYTES = 8 << 20


@command(
    "apply",
    _FILE,
    Option("--dry-run", "Show what would change"),
    Option("--remove", "Remove the file, and delete its cues"),
    see="diff, validate, cue.yaml(5)",
)
def apply(call: Call, *, file: str | None, dry_run: bool, remove: bool) -> None:
    """Make the cues match a cue.yaml.

    Takes a definition file over: its handlers and agents count from now on, and its cues are made,
    changed and deleted so that they match it, all in one change. The file is kept with its hash. A
    file that changes afterwards is obeyed only when it is applied again, so that pulling a branch
    can't schedule code.

    ~/.cue/cue.yaml needs no apply: every pass reads it.
    """
    from cuectl.applying.apply import apply_file, forget_file, preview

    path = file or "cue.yaml"
    if dry_run and remove:
        raise UsageError("'--dry-run' and '--remove' exclude each other")
    if dry_run:
        _print_plan(call, preview(call.runtime, path))
        return
    done = forget_file(call.runtime, path) if remove else apply_file(call.runtime, path)
    for one in done.warnings:
        call.out.warn(f"{one.path}:{one.line}:{one.column}: {one.message}", hint=one.hint)
    if call.out.for_people:
        _say(call, path, done, removed=remove)
    else:
        call.out.record(_plan_record(done))


def _say(call: Call, path: str, done: AppliedFile, *, removed: bool) -> None:
    plan = done.plan
    counts = [(len(plan.added), "added"), (len(plan.changed), "changed")]
    counts += [(len(plan.removed), "removed"), (len(done.reset_by_hand()), "set back")]
    counts += [(len(done.made_again()), "made again")]
    words = [f"{count} {word}" for count, word in counts if count]
    verb = "took out of force" if removed else "applied"
    call.out.say(f"{verb} '{path}': {', '.join(words) or 'nothing to change'}")
    for name in done.made_again():
        call.out.say(f"cue '{name}' was deleted by hand; it is in '{path}', so it was made again")


@command("diff", _FILE, exits={4: "apply would change something"}, see="apply, validate")
def diff(call: Call, *, file: str | None) -> int | None:
    """Show what apply would change.

    Compares a definition file with what was last taken over of it, and its cues with what they are
    now. Nothing is changed.
    """
    from cuectl.applying.apply import preview

    found = preview(call.runtime, file or "cue.yaml")
    _print_plan(call, found)
    return None if found.is_empty else ExitStatus.NO


def _plan_record(applied: AppliedFile) -> dict[str, Any]:
    cues = applied.cues
    return {
        "path": applied.path,
        **applied.plan.to_record(),
        "cues": {
            "created": [{"name": name, "id": cues.ids.get(name)} for name in cues.created],
            "updated": [{"name": name, "id": cues.ids.get(name)} for name in cues.updated],
            "deleted": [{"name": name} for name in cues.deleted],
            "changed_by_hand": applied.reset_by_hand(),
            "deleted_by_hand": applied.made_again(),
        },
    }


def _print_plan(call: Call, applied: AppliedFile) -> None:
    texts = applied.plan.lines()
    for name in applied.reset_by_hand():
        texts.append(f"~ cue '{name}': changed by hand since, and set back to the file")
    for name in applied.made_again():
        texts.append(f"+ cue '{name}': deleted by hand since, and made again")
    lines: list[Line] = [[(text, _CHANGE_COLOURS.get(text[:1], ""))] for text in texts]
    call.out.record(_plan_record(applied), lines)


@command("validate", _FILE, exits={7: "the file is not valid"}, see="apply, diff, cue.yaml(5)")
def validate(call: Call, *, file: str | None) -> int | None:
    """Check a cue.yaml without changing anything.

    Reads a definition file as apply does and prints all that is wrong with it, each with file, line
    and column, and notes on keys that belong to other systems.
    """
    from cuectl.applying.apply import check_file

    path = file or "cue.yaml"
    found = check_file(call.runtime, path)
    if call.out.json:
        problems = [_record(problem) for problem in found.problems]
        call.out.record({"path": path, "valid": found.is_valid, "problems": problems})
        return None if found.is_valid else ExitStatus.INVALID
    for problem in found.problems:
        call.out.line([(problem.text, _COLOURS[problem.level.value])])
        if problem.hint:
            call.out.line(f"  hint: {problem.hint}")
    if not found.is_valid:
        return ExitStatus.INVALID
    call.out.say(f"'{path}' is valid: {found.summary}")
    return None


def _record(problem: DefinitionProblem) -> Record:
    place = {"path": problem.path, "line": problem.line, "column": problem.column}
    words = {"message": problem.message, "hint": problem.hint}
    return {**place, "level": problem.level.value, **words}


@command("filters test", exits=_UNANSWERED, see="cuectl-filters(7), templates render")
def test_filters(call: Call) -> int | None:
    """Try filters on payloads: JSON lines in, JSON lines out.

    Reads lines such as {"filter": {"extension": ".ts"}, "payload": {"extension": ".ts"}} from the
    standard input and answers each with a line {"match": true, "why": [...]}: for every condition
    its key, its expression, the value that was found and whether it holds. A line that can't be
    read is answered {"error": ...}, and the stream continues.
    """
    return _answer_lines(_filtered)


def _filtered(line: Record) -> Record:
    from cuectl.events.rules.filters import compile_filter

    conditions, payload = _member(line, "filter", dict), _member(line, "payload", dict)
    for key, expression in conditions.items():
        if not isinstance(expression, str | int | float):
            raise UsageError(f"'{key}' in 'filter' must be a text, a number, true or false")
    chosen = compile_filter(conditions)
    return {"match": chosen.matches(payload), "why": chosen.why(payload)}


@command("templates render", exits=_UNANSWERED, see="cuectl-templates(7), filters test")
def render_templates(call: Call) -> int | None:
    """Try prompts on events: JSON lines in, JSON lines out.

    Reads lines such as {"template": "Test {{CUE_FILE_PATH}}", "event": {"type": "file.changed",
    "timestamp": "2026-11-23T09:00:00Z", "subscription": "lint", "run_id": "r1"}, "payload":
    {"path": "/src/a.ts"}, "agent": {"name": "linter", "dir": "/src"}} from the standard input and
    answers each with a line {"text": ...}. A line that can't be read, or misspells a variable, is
    answered {"error": ...}, and the stream continues.
    """
    from cuectl.schedule.zones import offset_reader

    now, zone = call.runtime.now(), call.runtime.zone
    offset = offset_reader(zone)(now // 60_000)
    return _answer_lines(lambda line: _rendered(line, now, offset))


def _rendered(line: Record, now: int, offset_minutes: int) -> Record:
    from cuectl.events.rules.templates import Occasion, VariablePlace, render, unknown_variables

    template = _member(line, "template", str)
    event, payload = _member(line, "event", dict, {}), _member(line, "payload", dict, {})
    agent = _member(line, "agent", dict, {})
    for unknown in unknown_variables(template):
        if unknown.nearest:
            hint = f"did you mean '{unknown.nearest}'?"
            raise UsageError(f"'{{{{{unknown.name}}}}}' is not a variable", hint=hint)
    place = VariablePlace(
        agent=_member(agent, "name", str, ""),
        agent_id=_member(agent, "id", str, ""),
        driver=_member(agent, "driver", str, ""),
        directory=_member(agent, "dir", str, ""),
        now=now,
        offset_minutes=offset_minutes,
    )
    occasion = Occasion(
        event=event.get("type"),
        at=_instant(event.get("timestamp"), now),
        subscription=_member(event, "subscription", str, ""),
        run_id=_member(event, "run_id", str, ""),
        payload=payload,
        place=place,
    )
    return {"text": render(template, occasion)}


def _instant(text: object, now: int) -> int:
    if text is None:
        return now
    try:
        return from_text(str(text))
    except (ValueError, IndexError):
        raise UsageError(f"'{text}' is not an instant such as 2026-11-23T09:00:00Z") from None


def _answer_lines(answer: Callable[[Record], Record]) -> int | None:
    bad = False
    for raw in iter(lambda: sys.stdin.buffer.readline(LINE_BYTES + 1), b""):
        if raw.strip():
            record = _answered(raw, answer)
            bad = bad or "error" in record
            _write(record)
    return ExitStatus.PARTLY if bad else None


def _member(line: Record, name: str, kind: type, default: Any = None) -> Any:
    value = line.get(name, default)
    if value is None:
        raise UsageError(f"the line has no '{name}'")
    if not isinstance(value, kind):
        raise UsageError(f"'{name}' must be {'an object' if kind is dict else 'a text'}")
    return value


def _answered(raw: bytes, answer: Callable[[Record], Record]) -> Record:
    try:
        if len(raw) > LINE_BYTES:
            return {"error": f"the line is longer than {LINE_BYTES} bytes"}
        line = json.loads(raw)
        if not isinstance(line, dict):
            return {"error": "the line is not a JSON object"}
        return answer(line)
    except CuectlError as error:
        return {"error": error.message} | ({"hint": error.hint} if error.hint else {})
    except (ValueError, RecursionError) as error:
        return {"error": f"the line is not JSON: {error}"}


def _write(record: Record) -> None:
    try:
        text = json.dumps(record, ensure_ascii=False)
        data = text.encode()
    except UnicodeEncodeError:
        data = json.dumps(record).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()
