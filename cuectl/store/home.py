"""The state directory: where it is, whether it is safe to use, and its first making."""

from __future__ import annotations

import errno
import os
import stat

from cuectl.model.errors import Refused, StateError
from cuectl.store import files

FORMAT = 1
FOLDERS = ("journal", "cues", "open", "waiting", "due", "runs", "passes", "keys")
# What may be there before FORMAT: what a user prepares, what a making that was killed has left,
# and what a file system or a desktop puts into every directory.
_PREPARED = frozenset({"cue.yaml", "env"})
_HARMLESS = frozenset({*FOLDERS, "FORMAT~", "lost+found", ".DS_Store"})
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "virtiofs"}
)


def locate(home_option: str | None, environment: dict[str, str]) -> str:
    """Return the absolute path of the state directory: `--home`, CUECTL_HOME, else `~/.cue`."""
    chosen = home_option or environment.get("CUECTL_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    base = environment.get("HOME")
    if not base:
        import pwd

        base = pwd.getpwuid(os.geteuid()).pw_dir
    return os.path.join(base, ".cue")


def check(path: str) -> bool:
    """Tell whether the state directory is there; refuse one that is not safe.

    Raises:
        Refused: foreign, a symbolic link, not a directory, writable by others, or full of
            files that are not ours.
        StateError: its layout is newer than this program.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(found.st_mode):
        hint = f"name the real directory: CUECTL_HOME={os.path.realpath(path)}"
        raise Refused(f"the state directory '{path}' is a symbolic link", hint=hint)
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"the state directory '{path}' is not a directory")
    if found.st_uid != os.geteuid():
        hint = "set CUECTL_HOME to a directory of your own"
        raise Refused(f"the state directory '{path}' belongs to another user", hint=hint)
    if found.st_mode & 0o022:
        raise Refused(f"others may write to the state directory '{path}'", hint=f"chmod 700 {path}")
    return _check_format(path)


def _check_format(path: str) -> bool:
    try:
        text = files.read_file(f"{path}/FORMAT", 64)
    except OSError as error:
        raise _unreadable(path, error) from error
    if text is None:
        _check_nothing_foreign(path)
        return False
    try:
        version = int(text)
    except ValueError:
        raise StateError(f"'{path}/FORMAT' is damaged: it holds no version") from None
    if version > FORMAT:
        hint = "upgrade cuectl; nothing was changed"
        raise StateError(f"'{path}' has format {version}; this cuectl knows {FORMAT}", hint=hint)
    return True


def _check_nothing_foreign(path: str) -> None:
    """Refuse to begin a state directory among the files of somebody else."""
    try:
        names = set(os.listdir(path))
    except OSError as error:
        raise _unreadable(path, error) from error
    foreign = sorted(names - _HARMLESS)
    # One with all our folders has lost its FORMAT, and nothing else.
    if foreign and not names & _PREPARED and not names.issuperset(FOLDERS):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        shown = f"it holds '{foreign[0]}'{more}"
        hint = "set CUECTL_HOME to an empty directory, or to one with your cue.yaml in it"
        raise Refused(f"'{path}' is no state directory: {shown}", hint=hint)


def _unreadable(path: str, error: OSError) -> Refused:
    return Refused(f"the state directory '{path}' can't be read: {error.strerror}")


def make(path: str) -> None:
    """Make the state directory with its fixed folders; FORMAT is written last.

    Raises:
        Refused: on a network file system, where locks are not shared with children.
    """
    if check(path):
        return
    files.make_directory(path)
    kind = file_system(path)
    if kind in NETWORK_FILE_SYSTEMS:
        hint = "set CUECTL_HOME to a directory on a local disk"
        raise Refused(f"'{path}' is on a network file system ({kind})", hint=hint)
    for name in FOLDERS:
        files.make_directory(f"{path}/{name}")
    files.replace_file(f"{path}/FORMAT", f"{FORMAT}\n".encode(), durable=True)
    sync_parent(path)


def sync_parent(path: str) -> None:
    """Make a name that was just made in a directory durable, as far as we may."""
    try:
        files.sync_directory(os.path.dirname(path))
    except OSError as error:
        # A parent that we may enter but not open for reading can't be synced by us.
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise


def file_system(path: str) -> str:
    """Return the type of the file system under `path` as the kernel names it, '' if unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
            lines = table.readlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split()[4].encode().decode("unicode_escape")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind


def boot_id() -> str:
    """Return what changes with every boot, `-` where the system does not tell."""
    from cuectl.store import idle

    return idle.boot_id()
