"""`aider`: text only, and exit 0 whatever happened; the prompt comes in a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cuectl.agents.drivers.driver import AgentDriver, plain_text
from cuectl.agents.rules import Answer, PromptBy

if TYPE_CHECKING:
    from cuectl.agents.rules import PromptRequest

_ERROR = re.compile(
    r"^(?:litellm\.\w*(?:Error|Exception)\b.*|The API provider .*(?:error|not able).*"
    r"|Authentication(?:Error)?\b.*|API key .*(?:missing|invalid).*)$",
    re.MULTILINE,
)
_COST = re.compile(r"Cost: \$(?P<cost>\d+(?:\.\d+)?) message")


def _arguments(ask: PromptRequest) -> list[str]:
    words = ["--yes-always", "--no-pretty", "--no-stream", "--no-check-update"]
    words += ["--no-show-release-notes", "--analytics-disable"]
    return [*words, "--model", ask.model] if ask.model else words


def _read(out: bytes, err: bytes) -> Answer:
    text = plain_text(out)
    said = f"{text}\n{plain_text(err)}"
    last = next(iter([*_ERROR.finditer(said)][-1:]), None)
    # It tries again by itself; the count of tokens says that an answer came after all.
    error = last[0] if last and "\nTokens: " not in said[last.end() :] else None
    costs = [float(found["cost"]) for found in _COST.finditer(text)]
    cost_usd = sum(costs) if costs else None
    return Answer(text=text, error=error, warning=last[0] if last else None, cost_usd=cost_usd)


driver = AgentDriver(
    program="aider",
    arguments=_arguments,
    read=_read,
    prompt=PromptBy.FILE,
    prompt_words={PromptBy.FILE: ("--message-file",), PromptBy.ARG: ("--message=",)},
    # It knows no ids: the file that keeps a conversation stands for one.
    resume=lambda session: ("--chat-history-file", session, "--restore-chat-history"),
    begin=lambda session: ("--chat-history-file", session),
    session_is_file=True,
)
