"""Writing a file that somebody outside asked for: it appears whole, or not at all."""

from __future__ import annotations

import os
import tempfile


def write_whole(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Put `data` at `path` in one step, in place of what stands there.

    Args:
        path: where to.
        data: all of it.
        mode: of the file, whatever the umask.

    Raises:
        OSError: it could not be written; what stood there still does.
    """
    try:
        _write(path, data, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _write(path: str, data: bytes, mode: int) -> None:
    fd, temporary = tempfile.mkstemp(prefix=".cuectl-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
