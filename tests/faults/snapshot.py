"""The files below a root at one moment, as values: taken, compared, and written out again."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One inode. `kind` is the file type part of the mode, `mode` the permission bits."""

    inode: int
    kind: int
    mode: int
    data: bytes = b""
    target: str = ""
    mtime_ns: int | None = None

    def describe(self) -> str:
        """Say what the node is, in a few words."""
        if stat.S_ISREG(self.kind):
            digest = hashlib.sha256(self.data).hexdigest()[:8]
            return f"file of {len(self.data)} bytes ({digest}), mode {self.mode:o}"
        if stat.S_ISDIR(self.kind):
            return f"directory, mode {self.mode:o}"
        if stat.S_ISLNK(self.kind):
            return f"link to {self.target}"
        return f"special file {stat.filemode(self.kind)[0]}, mode {self.mode:o}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A tree: relative path to node; the root itself is ''. Hard links share an inode number."""

    nodes: dict[str, Node]

    @classmethod
    def of(cls, root: Path) -> Snapshot:
        """Read the tree at `root`; a root that does not exist gives no nodes."""
        nodes: dict[str, Node] = {}
        pending = [""] if root.exists() else []
        while pending:
            relative = pending.pop()
            path = _path(root, relative)
            nodes[relative] = _read_node(path)
            if stat.S_ISDIR(nodes[relative].kind):
                pending += [os.path.join(relative, name) for name in sorted(os.listdir(path))]
        return cls(nodes=nodes)

    def write(self, root: Path, clock_ns: int | None = None) -> None:
        """Make `root` hold exactly this tree; whatever is there is removed first.

        Args:
            root: where.
            clock_ns: the time of what has no known one, None for now.
        """
        _remove_tree(root)
        written: dict[int, str] = {}
        for relative in sorted(self.nodes):
            node = self.nodes[relative]
            path = _path(root, relative)
            if node.inode in written and not stat.S_ISDIR(node.kind):
                os.link(written[node.inode], path, follow_symlinks=False)
            else:
                _write_node(path, node)
                written[node.inode] = path
        # Times and modes last, deepest first: filling a directory changes its own time, and
        # a directory without the write bit cannot be filled.
        for relative in sorted(self.nodes, reverse=True):
            _finish_node(_path(root, relative), self.nodes[relative], clock_ns)

    def differences(self, other: Snapshot) -> list[str]:
        """Name what differs in `other`: names, types, contents, modes and links; not times."""
        found = []
        for path in sorted(self.nodes.keys() | other.nodes.keys()):
            mine, its = self.nodes.get(path), other.nodes.get(path)
            if mine is None or its is None:
                node = its if mine is None else mine
                assert node is not None
                side = "only in the second" if mine is None else "only in the first"
                found.append(f"{path or '.'}: {side}: {node.describe()}")
            elif _content(mine) != _content(its):
                found.append(f"{path or '.'}: {mine.describe()} against {its.describe()}")
        return found

    def digest(self) -> str:
        """Return a hash of everything that `differences` compares."""
        total = hashlib.sha256()
        for path in sorted(self.nodes):
            total.update(repr((path, _content(self.nodes[path]))).encode())
        return total.hexdigest()


def _remove_tree(root: Path) -> None:
    """Remove a tree whatever its modes; nothing to remove is fine."""
    if not root.exists():
        return
    os.chmod(root, 0o700)
    for directory, names, _ in os.walk(root):
        for path in (os.path.join(directory, name) for name in names):
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(root)


def summary(differences: list[str]) -> str:
    """Put the first few differences on one line."""
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _path(root: Path, relative: str) -> str:
    return os.path.join(root, relative) if relative else str(root)


def _content(node: Node) -> tuple[int, int, bytes, str]:
    return node.kind, node.mode, node.data, node.target


def _read_node(path: str) -> Node:
    status = os.lstat(path)
    data, target = b"", ""
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            data = file.read()
    elif stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)
    return Node(
        inode=status.st_ino,
        kind=stat.S_IFMT(status.st_mode),
        mode=stat.S_IMODE(status.st_mode),
        data=data,
        target=target,
        mtime_ns=status.st_mtime_ns,
    )


def _write_node(path: str, node: Node) -> None:
    if stat.S_ISDIR(node.kind):
        os.makedirs(path, mode=0o700)
    elif stat.S_ISREG(node.kind):
        with open(path, "xb") as file:
            file.write(node.data)
    elif stat.S_ISLNK(node.kind):
        os.symlink(node.target, path)
    else:
        os.mknod(path, node.kind | 0o600)


def _finish_node(path: str, node: Node, clock_ns: int | None) -> None:
    if stat.S_ISLNK(node.kind):
        return
    os.chmod(path, node.mode)
    at = clock_ns if node.mtime_ns is None else node.mtime_ns
    if at is not None:
        os.utime(path, ns=(at, at))
