"""`github.pull_request` and `github.issue`: what `gh` lists that was not seen before."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess  # noqa: TID251  (no handler: a tool whose whole answer is read at once)
from typing import TYPE_CHECKING, Any

from cuectl.engine.clock import monotonic_s
from cuectl.engine.sources import SourceError
from cuectl.model.github_items import LIMIT, LIMIT_BEHIND, ask_of, is_behind, is_rate_limit, news
from cuectl.model.source_look import Seen

if TYPE_CHECKING:
    from cuectl.engine.sources import Ask
    from cuectl.model.github_items import Ask as Wanted

Record = dict[str, Any]

_LONGEST_WHY = 300


def poll(ask: Ask) -> Seen:
    """Ask `gh`, and tell what is new."""
    wanted = ask_of(ask.trigger)
    of = {"repo": wanted.repo or ask.root, "state": wanted.state}
    memory = ask.memory if ask.memory is not None and ask.memory.get("of") == of else None
    items = _items(ask, wanted, LIMIT)
    try:
        if is_behind(wanted, items, memory):
            items = _items(ask, wanted, LIMIT_BEHIND)
        told, after = news(wanted, items, memory, ask.now, ask.accepts)
    except KeyError as error:
        raise SourceError(f"gh has answered with an item without {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError("gh has answered with something that is no item") from error
    return Seen(happenings=tuple(told), memory=None if after is None else {"of": of, **after})


def _items(ask: Ask, wanted: Wanted, limit: int) -> list[Record]:
    text = _run(ask, wanted.arguments(limit))
    try:
        items = json.loads(text)
    except ValueError as error:
        raise SourceError("gh has answered something that is not JSON") from error
    if not isinstance(items, list):
        raise SourceError("gh has answered something that is not a list")
    return items


def _run(ask: Ask, arguments: list[str]) -> bytes:
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
        raise SourceError(f"can't start gh: {(error.strerror or '').lower()}") from error
    with process:
        try:
            out, err = process.communicate(timeout=max(ask.deadline_s - monotonic_s(), 0.1))
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise SourceError("gh has not answered in time") from error
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        raise _refused(process.returncode, err.decode("utf-8", "replace"))
    return out


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _refused(status: int, text: str) -> SourceError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    why = lines[0][:_LONGEST_WHY] if lines else f"exit status {status}"
    return SourceError(f"gh has failed: {why}", too_often=is_rate_limit(text))
