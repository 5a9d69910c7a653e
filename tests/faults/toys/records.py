"""A toy store with one file per record, right or wrong in one way: KIND ROOT add ID | run.

A record is a file `records/ID` that holds its state and a newline. `run` claims each due record,
starts its handler, which leaves a line in `effects/ID`, and settles it.
"""

from __future__ import annotations

import os
import sys


class Right:
    """Writes a new file, syncs it, renames it, syncs the directory; claims before it starts."""

    def __init__(self, root: str) -> None:
        self.records = os.path.join(root, "records")
        self.effects = os.path.join(root, "effects")

    def add(self, name: str) -> None:
        """Acknowledge a record; adding it again changes nothing."""
        if name not in self.read_all():
            self.save(name, "due")
        print("added", name, flush=True)

    def run(self) -> None:
        """Say of what an earlier run left half done that nobody knows; then run what is due."""
        states = self.read_all()
        for name, state in states.items():
            if state == "claimed":
                self.save(name, "interrupted")
        for name, state in states.items():
            if state == "due":
                self.work(name)

    def work(self, name: str) -> None:
        """Claim, run and settle one record."""
        self.save(name, "claimed")
        self.settle(name, self.start(name))

    def settle(self, name: str, pid: int) -> None:
        """Wait for a handler and write down how it ended."""
        _, status = os.waitpid(pid, 0)
        self.save(name, "failed" if status else "done")

    def start(self, name: str) -> int:
        """Start the handler of a record."""
        script = f"echo x >> '{os.path.join(self.effects, name)}'"
        return os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ)

    def read_all(self) -> dict[str, str]:
        """Return the state of each record; one that cannot be read is an error."""
        found = {}
        for name in sorted(os.listdir(self.records)):
            if name.startswith("."):
                continue
            with open(os.path.join(self.records, name), encoding="ascii") as file:
                text = file.read()
            if text not in {"due\n", "claimed\n", "done\n", "failed\n", "interrupted\n"}:
                raise ValueError(f"record '{name}' is damaged")
            found[name] = text.strip()
        return found

    def save(self, name: str, state: str) -> None:
        """Write one record."""
        temporary = os.path.join(self.records, ".new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self.write(fd, f"{state}\n".encode())
            self.sync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, os.path.join(self.records, name))
        self.sync_directory()

    def write(self, fd: int, data: bytes) -> None:
        """Write all of it."""
        while data:
            data = data[os.write(fd, data) :]

    def sync(self, fd: int) -> None:
        """Make a file durable."""
        os.fsync(fd)

    def sync_directory(self) -> None:
        """Make the names of the records durable."""
        fd = os.open(self.records, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class InPlace(Right):
    """Overwrites the record itself."""

    def save(self, name: str, state: str) -> None:
        fd = os.open(os.path.join(self.records, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self.write(fd, f"{state}\n".encode())
            self.sync(fd)
        finally:
            os.close(fd)
        self.sync_directory()


class NoFsync(Right):
    """Never syncs."""

    def sync(self, fd: int) -> None:
        pass

    def sync_directory(self) -> None:
        pass


class NoDirectoryFsync(Right):
    """Syncs files, but not the directory that holds their names."""

    def sync_directory(self) -> None:
        pass


class ClaimAfterStart(Right):
    """Starts the handler and only then says so."""

    def work(self, name: str) -> None:
        pid = self.start(name)
        self.save(name, "claimed")
        self.settle(name, pid)


class Swallows(Right):
    """Goes on as if nothing had happened when a record cannot be written."""

    def save(self, name: str, state: str) -> None:
        try:  # noqa: SIM105 - contextlib doubles the time that this script takes to start
            super().save(name, state)
        except OSError:
            pass


class OneWrite(Right):
    """Believes that one write takes everything."""

    def write(self, fd: int, data: bytes) -> None:
        os.write(fd, data)


class SyncsAgain(Right):
    """Tries a failed sync once more and believes the second answer."""

    def sync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError:
            os.fsync(fd)


KINDS = {
    kind.__name__: kind
    for kind in (
        Right,
        InPlace,
        NoFsync,
        NoDirectoryFsync,
        ClaimAfterStart,
        Swallows,
        OneWrite,
        SyncsAgain,
    )
}


def main(kind: str, root: str, command: str, *names: str) -> int:
    """Run one command of one store; every error is one line and exit status 1."""
    store = KINDS[kind](root)
    try:
        if command == "add":
            store.add(names[0])
        else:
            store.run()
    except (OSError, ValueError) as error:
        print(f"toy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
