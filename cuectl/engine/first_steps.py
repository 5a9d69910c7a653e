"""The first making of a state directory, and a definition file to begin with."""

from __future__ import annotations

import os

from cuectl.model.errors import Conflict
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime

STARTER = """\
# What cuectl runs for this directory. It is obeyed as it was when it was last taken over:
#   cuectl validate    is it right?
#   cuectl diff        what would change?
#   cuectl apply       take it over
# All of it is in cue.yaml(5): cuectl help cue.yaml

handlers:                       # how a task is done; without a shell when 'cmd' is a list
  hello:
    cmd: ["echo", "hello"]
    timeout: 1m
    # env:                      # ${NAME} comes from ~/.cue/env, or from the pass
    #   TOKEN: "${TOKEN}"

cues:                           # when it is done, and what it must show
  hello:
    cron: "0 9 * * 1-5"         # minute hour day month weekday
    # timezone: Europe/Paris
    task: hello
    # verification: require_artifacts
    # retry: {max_attempts: 3, backoff: [1m, 5m, 15m]}
    # alert: [ops]

# alerts:                       # whom to tell
#   ops: {command: ["notify-send", "{{ alert.title }}", "{{ alert.message }}"]}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What was made.

    Attributes:
        created: whether the state directory was not there before.
        file: the definition file that was written, None when none was asked for.
    """

    created: bool
    file: str | None


def begin(runtime: Runtime, folder: str | None) -> Begun:
    """Make the state directory, and a definition file in `folder`.

    Raises:
        Conflict: there is such a file; nothing was changed.
        Refused: the state directory is not safe to use.
    """
    path = None if folder is None else os.path.join(folder, "cue.yaml")
    if path is not None and os.path.lexists(path):
        raise Conflict(f"'{path}' exists", hint="check it with: cuectl validate")
    created = runtime.existing_store is None
    _ = runtime.store
    if path is not None:
        _write_new(path)
    return Begun(created=created, file=path)


def _write_new(path: str) -> None:
    """Write the file, whole or not at all."""
    temporary = f"{path}.{os.getpid()}~"
    with open(temporary, "x", encoding="utf-8") as file:
        file.write(STARTER)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise Conflict(f"'{path}' exists", hint="check it with: cuectl validate") from None
    finally:
        os.unlink(temporary)
