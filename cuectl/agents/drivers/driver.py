"""Agent command lines: one adapter each (reference/agent-clis.md), and how all are read."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING

from cuectl.agents.rules import Answer, PromptBy
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.agents.rules import PromptRequest
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.values.records import Record

# A new one is a word here and in `agents/section.py`, and a module with a `driver`.
DRIVERS = ("claude", "codex", "gemini", "opencode", "aider", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDriver:
    """The facts of one command line."""

    program: str  # what is looked for on the PATH; empty when the definition must say
    arguments: Callable[[PromptRequest], list[str]]  # without the prompt and the conversation
    read: Callable[[bytes, bytes], Answer]  # takes standard output and standard error
    prompt: PromptBy = PromptBy.STDIN  # unless the definition says otherwise
    # What precedes it, or its file, or means standard input; a way that is missing does not exist.
    prompt_words: dict[PromptBy, tuple[str, ...]] = field(default_factory=dict)
    resume: Callable[[str], tuple[str, ...]] | None = None  # the words that continue a conversation
    begin: Callable[[str], tuple[str, ...]] | None = None  # the words that start a conversation
    session_is_file: bool = False  # an id is the path of a file
    env: dict[str, str] = field(default_factory=dict)
    empty_is_error: bool = True
    counts_thread: bool = False  # its usage is the total of the conversation, not of the turn
    version: tuple[str, ...] = ("--version",)  # arguments that print a version and do nothing


def driver_of(name: str) -> AgentDriver:
    """Return the adapter of that name. Raises KeyError: there is none."""
    if name == "command":
        return _COMMAND
    if name not in DRIVERS:
        raise KeyError(name)
    driver: AgentDriver = import_module(f"cuectl.agents.drivers.{name}").driver
    return driver


def reader_of(agent: AgentDefinition) -> Callable[[bytes, bytes], Answer]:
    """Return what reads the output of an agent: its driver, unless the definition says other."""
    if agent.output == "text":
        return _read_text
    return _read_json if agent.output == "json" else driver_of(agent.output or agent.driver).read


def empty_is_error(agent: AgentDefinition) -> bool:
    """Tell whether an empty answer of an agent is a failure."""
    if agent.empty_is_error is not None:
        return agent.empty_is_error
    return format_of(agent).empty_is_error


def format_of(agent: AgentDefinition) -> AgentDriver:
    """Return the driver whose output an agent prints."""
    return driver_of(agent.output if agent.output in DRIVERS else agent.driver)


_DECODER = json.JSONDecoder()
_SESSION = re.compile(r"[\w./:@+=~][\w./:@+=~-]{0,199}")
_NAME = re.compile(r"[\w ./:@-]{1,100}")
_MOST_MEMBERS = 32
_OWN_MEMBERS = frozenset({"text", "session_id", "cost_usd", "error", "usage"})


def events(raw: bytes) -> list[Record]:
    """Return the objects of an output, whichever way it holds them; empty when it has none."""
    whole = _whole(raw)
    if isinstance(whole, list):
        return [each for each in whole if isinstance(each, dict)]
    return [whole] if isinstance(whole, dict) else list(_objects(raw))


def _objects(raw: bytes) -> Iterator[Record]:
    """Yield every JSON object at the beginning of a line, and those glued to it."""
    for line in raw.decode("utf-8", "replace").split("\n"):
        text = line.strip().strip("\0")
        while text.startswith("{"):
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                break
            if isinstance(value, dict):
                yield value
            text = text[end:].lstrip()


def whole_object(raw: bytes) -> Record | None:
    """Return the one object that the output is, on however many lines; None when it is none."""
    value = _whole(raw)
    return value if isinstance(value, dict) else None


def _whole(raw: bytes) -> object:
    text = raw.strip()
    if not text.startswith((b"{", b"[")):
        return None
    try:
        return json.loads(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def plain_text(raw: bytes) -> str:
    """Return an output as text, without the line breaks at its end."""
    return raw.decode("utf-8", "replace").rstrip("\r\n")


def text_in(value: object) -> str:
    """Return a text, empty for anything else."""
    return value if isinstance(value, str) else ""


def object_in(value: object) -> Record:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def list_in(value: object) -> list[object]:
    """Return a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def number_in(value: object) -> float | None:
    """Return a finite number, None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None


def session_in(value: object) -> str | None:
    """Return the id of a conversation; None for what can't stand in a command line later."""
    return value if isinstance(value, str) and _SESSION.fullmatch(value) else None


def usage_in(value: object, depth: int = 3) -> Record:
    """Return the numbers of an object, and of the objects in it; the rest is left out."""
    found: Record = {}
    for name, item in list(object_in(value).items())[:_MOST_MEMBERS]:
        if not _NAME.fullmatch(name):
            continue
        if isinstance(item, dict):
            inner = usage_in(item, depth - 1) if depth > 1 else {}
            if inner:
                found[name] = inner
        elif (number := number_in(item)) is not None:
            found[name] = int(number) if number.is_integer() else number
    return found


def added(one: Record, other: Record) -> Record:
    """Return two usages added up; where their shapes differ, the newer one."""
    both = {**one, **other}
    for name in one.keys() & other.keys():
        before, after = one[name], other[name]
        if isinstance(before, dict) and isinstance(after, dict):
            both[name] = added(before, after)
        elif not isinstance(before, dict) and not isinstance(after, dict):
            both[name] = before + after
    return both


def _read_text(out: bytes, _: bytes) -> Answer:
    return Answer(text=plain_text(out))


def _read_json(out: bytes, _: bytes) -> Answer:
    said = _last_object(out)
    if said is None:
        text = plain_text(out)
        return Answer(text=text, error="the output ends with no JSON object" if text else None)
    return _answer_in(said)


def _read_either(out: bytes, _: bytes) -> Answer:
    """Take the answer from an object in our own form, or else the whole output as a text."""
    said = _last_object(out)
    if said is None or not said.keys() & {"text", "error"} or said.keys() - _OWN_MEMBERS:
        return Answer(text=plain_text(out))
    return _answer_in(said)


def _last_object(out: bytes) -> Record | None:
    return whole_object(out.rstrip().rpartition(b"\n")[2]) or whole_object(out)


def _answer_in(said: Record) -> Answer:
    error = said.get("error")
    return Answer(
        text=text_in(said.get("text")),
        error=None if error in (None, False, "") else text_in(error) or "error",
        session=session_in(said.get("session_id")),
        cost_usd=number_in(said.get("cost_usd")),
        usage=usage_in(said.get("usage")),
    )


# Any program: the prompt on its standard input, unless the definition says otherwise.
_COMMAND = AgentDriver(
    program="",
    arguments=lambda _: [],
    read=_read_either,
    prompt_words={PromptBy.STDIN: (), PromptBy.ARG: (), PromptBy.FILE: ()},
    empty_is_error=False,
)
