"""The code of a run: the files loaded from its workflow's directory, and the Python."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cuectl.values.records import Record


def code_of(path: str, known: Record | None = None) -> Record:
    """Return `{python, code}` of a workflow's file, with what is loaded below its directory.

    With a `known` one, the files of that as they are now: nothing has to be loaded.
    """
    from hashlib import sha256

    directory = os.path.dirname(os.path.realpath(path))
    # Installed code is not the author's, wherever it is.
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    installed = (ours, *map(os.path.realpath, (sys.prefix, sys.base_prefix)))
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    loaded = {os.path.realpath(file) for file in (path, *modules) if file}
    names = [os.path.relpath(f, directory) for f in loaded if not f.startswith(installed)]
    names = list(known["code"]) if known else [name for name in names if name[:2] != ".."]
    code = {}
    for name in sorted(names):
        try:
            with open(os.path.join(directory, name), "rb") as file:
                code[name] = sha256(file.read()).hexdigest()
        except OSError:
            continue
    return {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "code": code}
