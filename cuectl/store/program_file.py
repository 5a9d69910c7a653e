"""A `cuectl` for handlers, where what runs is one file of another name.

Handlers find the installed program in its directory. `cuectl.pyz` stands beside nothing that
is called `cuectl`, so a small script in the state directory starts it.
"""

from __future__ import annotations

import os

from cuectl.store import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "bin"
_PRIVATE_PROGRAM = 0o700


def program_folder(home: str, command: Sequence[str]) -> str:
    """Return a directory in which `cuectl` starts `command`."""
    from shlex import join

    folder = f"{home}/{FOLDER}"
    path = f"{folder}/cuectl"
    script = f'#!/bin/sh\nexec {join(command)} "$@"\n'.encode("utf-8", "surrogateescape")
    if files.read_file(path) != script or not os.access(path, os.X_OK):
        files.make_directory(folder)
        # Passes that begin at once write the same; each has a file of its own until it is whole.
        fresh = f"{path}.{os.getpid()}~"
        files.replace_file(fresh, script)
        os.chmod(fresh, _PRIVATE_PROGRAM)
        os.rename(fresh, path)
    return folder
