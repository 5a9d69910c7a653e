"""Running `crontab`, `systemctl` and `launchctl`, which answer at once or are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.errors import CuectlError
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_S = 30.0
NOT_THERE = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a program ended; `NOT_THERE` when it could not be started."""

    status: int
    out: bytes
    said: str


def run_program(words: Sequence[str], environment: Mapping[str, str], given: bytes = b"") -> Done:
    """Run a program, its messages in English, and wait for it.

    Raises:
        CuectlError: it does not end.
    """
    import shutil
    import subprocess  # noqa: TID251  (no handler: a tool whose whole answer is read at once)

    program = shutil.which(words[0], path=environment.get("PATH", ""))
    if program is None:
        return Done(status=NOT_THERE, out=b"", said=f"'{words[0]}' is not on the PATH")
    try:
        done = subprocess.run(
            [program, *words[1:]],
            input=given,
            capture_output=True,
            env={**environment, "LC_ALL": "C"},
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CuectlError(f"'{words[0]}' has not answered for {LIMIT_S:g} s") from None
    said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())
    return Done(status=done.returncode, out=done.stdout, said=said)


def must_run(words: Sequence[str], environment: Mapping[str, str], given: bytes = b"") -> bytes:
    """Run a program that must end well, and return what it wrote.

    Raises:
        CuectlError: it did not; the message has what it said.
    """
    done = run_program(words, environment, given)
    if done.status != 0:
        message = f"'{' '.join(words)}' failed with {done.status}: {done.said or 'without a word'}"
        raise CuectlError(message)
    return done.out
