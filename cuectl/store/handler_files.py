"""What handlers and workers need in files: payloads, prompts, variables, secrets, a program.

A payload too large for a journal line is in a file named by its hash. A secret is used only
from a private file of ours. `cuectl.pyz` has a small script, so that handlers find `cuectl`.

A worker's file is no part of the journal: when it was last heard of need not survive, so a
heartbeat costs no commit (contracts.md, identity 5).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat

from cuectl.store import files, paths
from cuectl.values.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from cuectl.values.records import Record


LARGEST_IN_LINE = 65_536
# A prompt of 64 MB that is no text is six times as long in JSON.
_PAYLOAD_BYTES = 512 << 20
_PROMPT_BYTES = 64 << 20


def keep(home: str, data: bytes) -> str:
    """Make a payload durable under its hash before a line refers to it; return the hash.

    One that is there already is written again: it may never have been synced.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = paths.payload_file(home, digest)
    files.make_directory(os.path.dirname(path))
    files.replace_file(path, data, durable=True)
    files.sync_directory(home)
    return digest


def read(home: str, digest: str) -> dict[str, Any]:
    """Return the payload with this hash. Raises OSError, ValueError: it is gone or damaged."""
    path = paths.payload_file(home, digest)
    data = files.read_file(path, _PAYLOAD_BYTES)
    if data is None:
        raise FileNotFoundError(2, "no such payload", path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("it is not what its hash says")
    body = json.loads(data)
    if not isinstance(body, dict):
        raise ValueError("it is not an object")
    return body


def write_for_handler(path: str, text: str) -> None:
    """Write the payload of one attempt where its handler is told to look."""
    files.replace_file(path, text.encode("utf-8", "surrogatepass"))


def read_prompt_file(path: str, root: str | None = None) -> str:
    """Return the prompt in a file. Raises OSError: too large, or links lead out of `root`."""
    real = os.path.realpath(path)
    if root is not None and not real.startswith(os.path.join(os.path.realpath(root), "")):
        raise OSError(errno.EACCES, "it leads out of the directory of its definition", path)
    fd = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        data = file.read(_PROMPT_BYTES + 1)
    if len(data) > _PROMPT_BYTES:
        raise OSError(errno.EFBIG, "larger than 64 megabytes", path)
    # Bytes that are no text come out again as they were.
    return data.decode("utf-8", "surrogateescape")


def write_prompt(path: str, prompt: str) -> None:
    """Write the prompt of one turn where its agent reads it."""
    files.replace_file(path, prompt_bytes(prompt))


def prompt_bytes(prompt: str) -> bytes:
    """Return the bytes of a prompt: those that its file had, were they text or not."""
    try:
        return prompt.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return prompt.encode("utf-8", "replace")


TOKEN = "http-token"  # noqa: S105 - the name of a file
SIGNING_KEY = "webhook-secret"
_PREFIXES = {TOKEN: "cue_sk_", SIGNING_KEY: "whsec_"}
_RANDOM_BYTES = 32
_LONGEST_SECRET = 4096
_ENV_BYTES = 1 << 20


def read_env_file(home: str) -> dict[str, str]:
    """Return the variables in the file `env`, if any. Raises Refused: others may read it."""
    path = f"{home}/env"
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return {}
    if stat.S_ISLNK(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise Refused(f"'{path}' holds secrets and must be yours alone", hint=f"chmod 600 {path}")
    raw = files.read_file(path, _ENV_BYTES) or b""
    variables: dict[str, str] = {}
    for line in raw.decode("utf-8", "surrogateescape").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            variables[name] = _unquoted(value.strip())
    return variables


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value


def read_secret(path: str) -> bytes:
    """Return the secret in a file, stripped. Raises Refused: none there, or not ours alone."""
    try:
        with files.opened(path) as fd:
            _check_private(path, os.fstat(fd))
            secret = files.read_all(fd).strip()
    except OSError as error:
        raise Refused(f"the secret file '{path}' can't be read: {error.strerror}") from error
    if not secret:
        raise Refused(f"the secret file '{path}' is empty")
    return secret


def _check_private(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST_SECRET:
        raise Refused(f"the secret file '{path}' is not a small plain file")
    if found.st_uid != os.geteuid():
        raise Refused(f"the secret file '{path}' belongs to another user")
    if found.st_mode & 0o077:
        raise Refused(f"others may read the secret file '{path}'", hint=f"chmod 600 '{path}'")


def secret_path(home: str, name: str) -> str:
    """Return where a secret is that cuectl makes itself: `TOKEN` or `SIGNING_KEY`."""
    return f"{home}/{name}"


def read_or_make_secret(home: str, name: str, random: Callable[[int], bytes]) -> str:
    """Return a secret, made when it is not there yet. Raises Refused: it is not private."""
    path = secret_path(home, name)
    if not os.path.lexists(path):
        return make_secret(home, name, random)
    return read_secret(path).decode("ascii", "replace")


def make_secret(home: str, name: str, random: Callable[[int], bytes]) -> str:
    """Put a new secret instead of the old one, durable and private; return it."""
    secret = _PREFIXES[name] + random(_RANDOM_BYTES).hex()
    files.replace_file(secret_path(home, name), secret.encode("ascii") + b"\n", durable=True)
    return secret


def program_folder(home: str, command: Sequence[str]) -> str:
    """Return a directory in which `cuectl` starts `command`."""
    from shlex import join

    folder = f"{home}/bin"
    path = f"{folder}/cuectl"
    script = f'#!/bin/sh\nexec {join(command)} "$@"\n'.encode("utf-8", "surrogateescape")
    if files.read_file(path) != script or not os.access(path, os.X_OK):
        files.make_directory(folder)
        # Passes that start at once write the same; each has a file of its own until it is whole.
        fresh = f"{path}.{os.getpid()}~"
        files.replace_file(fresh, script)
        os.chmod(fresh, 0o700)
        os.rename(fresh, path)
    return folder


def note(home: str, worker_id: str, handlers: list[str] | None, now: int) -> None:
    """Note that a worker was heard of, and what it can do where it says so."""
    path = _worker_path(home, worker_id)
    known = _read_worker(path) or {}
    record = {
        "worker_id": worker_id,
        "handlers": known.get("handlers", []) if handlers is None else handlers,
        "first_seen_ms": known.get("first_seen_ms", now),
        "seen_ms": now,
    }
    files.replace_file(path, json.dumps(record).encode("ascii"))


def known(home: str) -> list[Record]:
    """Return all workers, in the order of their names."""
    folder = f"{home}/workers"
    names = [name for name in files.list_directory(folder) if name.endswith(".json")]
    found = [_read_worker(f"{folder}/{name}") for name in names]
    return sorted((one for one in found if one), key=lambda one: str(one["worker_id"]))


def forget(home: str, worker_id: str) -> bool:
    """Forget a worker; tell whether it was known."""
    path = _worker_path(home, worker_id)
    was_known = _read_worker(path) is not None
    files.remove_file(path)
    return was_known


def _worker_path(home: str, worker_id: str) -> str:
    digest = hashlib.sha256(worker_id.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"{home}/workers/{digest}.json"


def _read_worker(path: str) -> Record | None:
    try:
        raw = files.read_file(path, 1 << 20)
        record = json.loads(raw) if raw else None
    except (OSError, ValueError):
        # Half a file of a killed process: the next heartbeat writes it again.
        return None
    return record if isinstance(record, dict) and "worker_id" in record else None
