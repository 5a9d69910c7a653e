"""`github.pull_request` and `github.issue`: what `gh` lists that was not seen before."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess  # noqa: TID251  (no handler: a tool whose whole answer is read at once)
from typing import TYPE_CHECKING, Any

from cuectl.events.rules.github_items import LIMITS, ask_of, is_rate_limit, lacks_comments, look
from cuectl.events.sources.registry import SourceError
from cuectl.process.runtime import monotonic_s
from cuectl.process.start_failure import start_failure

if TYPE_CHECKING:
    from cuectl.events.rules.event import Seen
    from cuectl.events.rules.github_items import ItemQuery
    from cuectl.events.sources.registry import PollRequest
    from cuectl.values.records import Record


def poll(ask: PollRequest) -> Seen:
    """Ask `gh`, and tell what is new."""
    wanted = ask_of(ask.trigger)
    of = {"repo": wanted.repo or ask.root, "state": wanted.state}
    memory = ask.memory if ask.memory is not None and ask.memory.get("of") == of else None
    items, news = _items(ask, wanted), ask.news()
    try:
        for item in items:
            if lacks_comments(wanted, item, memory):
                item["comments"] = _comments(ask, wanted, item)
        after = look(wanted, items, memory, ask.now, news)
    except KeyError as error:
        raise SourceError(f"gh has answered with an item without {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError("gh has answered with something that is no item") from error
    cut = f"gh lists more than {LIMITS[-1]:,} items; the oldest are not looked at"
    problem = cut if len(items) >= LIMITS[-1] else None
    return news.seen(None if after is None else {"of": of, **after}, problem=problem)


def _items(ask: PollRequest, wanted: ItemQuery) -> list[Record]:
    items: list[Record] = []
    for limit in LIMITS:
        items = _answer(ask, wanted.arguments(limit))
        if not isinstance(items, list):
            raise SourceError("gh has answered something that is not a list")
        if len(items) < limit:
            break
    return items


def _comments(ask: PollRequest, wanted: ItemQuery, item: Record) -> list[Record]:
    """Return all comments of an item; a listing has the first hundred only."""
    comments: list[Record] = _answer(ask, wanted.comments_arguments(item))["comments"]
    return comments


def _answer(ask: PollRequest, arguments: list[str]) -> Any:
    try:
        return json.loads(_run(ask, arguments))
    except ValueError as error:
        raise SourceError("gh has answered something that is not JSON") from error


def _run(ask: PollRequest, arguments: list[str]) -> bytes:
    program = shutil.which("gh", path=ask.environment.get("PATH", os.defpath))
    if program is None:
        raise SourceError("gh, the command line of GitHub, is not in PATH: https://cli.github.com")
    environment = {**ask.environment, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"}
    try:
        process = subprocess.Popen(
            [program, *arguments],
            cwd=ask.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(f"can't start gh: {start_failure(error, program)}") from error
    with process:
        try:
            out, err = process.communicate(timeout=max(ask.deadline_s - monotonic_s(), 0.1))
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise SourceError("gh has not answered in time") from error
            raise
    if not process.returncode:
        return out
    text = err.decode("utf-8", "replace")
    lines = (line.strip() for line in text.splitlines() if line.strip())
    why = next(lines, f"exit status {process.returncode}")[:300]
    raise SourceError(f"gh has failed: {why}", too_often=is_rate_limit(text))


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
