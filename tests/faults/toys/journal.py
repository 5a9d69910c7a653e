"""A toy journal of keys, right or wrong in one way: KIND ROOT put KEY.

A key that is there already is acknowledged without a line of its own.
"""

from __future__ import annotations

import os
import sys


class Right:
    """Syncs a tail that somebody else wrote before it answers from it."""

    def __init__(self, root: str) -> None:
        self.path = os.path.join(root, "journal")

    def put(self, key: str) -> str:
        """Make sure that a key is in the journal, durably."""
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND)
        try:
            if key in self.keys(fd):
                self.trust(fd)
                return "already there"
            os.write(fd, f"{key}\n".encode())
            os.fdatasync(fd)
        finally:
            os.close(fd)
        return "added"

    def keys(self, fd: int) -> list[str]:
        """Return the keys of the whole lines, and cut what is left of another."""
        text = os.pread(fd, 1 << 20, 0)
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            os.ftruncate(fd, whole)
            os.fdatasync(fd)
        return text[:whole].decode("ascii", "replace").split("\n")

    def trust(self, fd: int) -> None:
        """Make what was read durable."""
        os.fdatasync(fd)


class Trusting(Right):
    """Answers from a tail that nobody synced."""

    def trust(self, fd: int) -> None:
        pass


KINDS = {"Right": Right, "Trusting": Trusting}


def main(kind: str, root: str, command: str, key: str) -> int:
    """Run the one command."""
    assert command == "put"
    print(KINDS[kind](root).put(key))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
