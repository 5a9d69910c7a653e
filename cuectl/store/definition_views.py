"""Where the compiled form of each definition file is kept."""

from __future__ import annotations

import os

FOLDER = "config"
HOME_VIEW = "config/home.json"
ABSENT = "-"


def home_path(home: str) -> str:
    """Return where the user's own definitions are."""
    return f"{home}/cue.yaml"


def view_of(path: str) -> str:
    """Return the view of an applied file, which is known by its absolute path."""
    import hashlib

    return f"{FOLDER}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}.json"
