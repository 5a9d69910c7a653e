"""The system calls that a sweep knows, by machine: numbers, kind, and which arguments name files.

Numbers: asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64) of the kernel headers.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from .operations import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class PathArg:
    """A path argument: the index of its directory descriptor, if any, and of the string.

    `follow`: the call goes through a symbolic link in the last component.
    """

    dirfd: int | None
    index: int
    follow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call: `paths` and `fd` say where its arguments name files."""

    name: str
    kind: Kind
    paths: tuple[PathArg, ...] = ()
    fd: int | None = None


# name, x86_64, aarch64, kind, files: fN = descriptor in argument N, pN = path in N,
# aN.M = directory descriptor in N and path in M, trailing * = follows a final symbolic link.
_TABLE = """
open              2    -    name   p0*
creat             85   -    name   p0*
openat            257  56   name   a0.1*
openat2           437  437  name   a0.1*
mkdir             83   -    name   p0
mkdirat           258  34   name   a0.1
mknod             133  -    name   p0
mknodat           259  33   name   a0.1
symlink           88   -    name   p1
symlinkat         266  36   name   a1.2
link              86   -    name   p0,p1
linkat            265  37   name   a0.1,a2.3
rename            82   -    name   p0,p1
renameat          264  38   name   a0.1,a2.3
renameat2         316  276  name   a0.1,a2.3
unlink            87   -    name   p0
unlinkat          263  35   name   a0.1
rmdir             84   -    name   p0
write             1    64   data   f0
writev            20   66   data   f0
pwrite64          18   68   data   f0
pwritev           296  70   data   f0
pwritev2          328  287  data   f0
sendfile          40   71   data   f0
splice            275  76   data   f2
copy_file_range   326  285  data   f2
truncate          76   45   data   p0*
ftruncate         77   46   data   f0
fallocate         285  47   data   f0
chmod             90   -    meta   p0*
fchmod            91   52   meta   f0
fchmodat          268  53   meta   a0.1*
fchmodat2         452  452  meta   a0.1*
chown             92   -    meta   p0*
fchown            93   55   meta   f0
lchown            94   -    meta   p0
fchownat          260  54   meta   a0.1*
utime             132  -    meta   p0*
utimes            235  -    meta   p0*
futimesat         261  -    meta   a0.1*
utimensat         280  88   meta   a0.1*
fsync             74   82   sync   f0
fdatasync         75   83   sync   f0
sync_file_range   277  84   sync   f0
syncfs            306  267  sync   f0
sync              162  81   sync   -
clone             56   220  spawn  -
clone3            435  435  spawn  -
fork              57   -    spawn  -
vfork             58   -    spawn  -
flock             73   32   lock   f0
fcntl             72   25   lock   f0
exit_group        231  94   exit   -
read              0    63   read   f0
readv             19   65   read   f0
pread64           17   67   read   f0
preadv            295  69   read   f0
preadv2           327  286  read   f0
getdents64        217  61   read   f0
fstat             5    80   read   f0
stat              4    -    read   p0*
lstat             6    -    read   p0
newfstatat        262  79   read   a0.1*
statx             332  291  read   a0.1*
access            21   -    read   p0*
faccessat         269  48   read   a0.1*
faccessat2        439  439  read   a0.1*
readlink          89   -    read   p0
readlinkat        267  78   read   a0.1
"""

OPENS = frozenset({"open", "openat", "openat2", "creat"})
WRITES = frozenset(
    {"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice", "copy_file_range"}
)
POSITIONED_WRITES = frozenset({"pwrite64", "pwritev", "pwritev2"})


def _paths(text: str) -> tuple[PathArg, ...]:
    found = []
    for part in text.split(","):
        follow = part.endswith("*")
        form, rest = part[0], part[1:].rstrip("*")
        if form == "p":
            found.append(PathArg(dirfd=None, index=int(rest), follow=follow))
        elif form == "a":
            dirfd, index = rest.split(".")
            found.append(PathArg(dirfd=int(dirfd), index=int(index), follow=follow))
    return tuple(found)


def calls_by_number(machine: str | None = None) -> dict[int, Call]:
    """Return the known calls of a machine (default: this one), by number; none if unknown."""
    column = {"x86_64": 1, "aarch64": 2}.get(machine or platform.machine())
    if column is None:
        return {}
    table = {}
    for line in _TABLE.strip().splitlines():
        fields = line.split()
        name, number, kind, files = fields[0], fields[column], fields[3], fields[4]
        if number != "-":
            fd = int(files[1:]) if files.startswith("f") else None
            table[int(number)] = Call(name=name, kind=Kind(kind), paths=_paths(files), fd=fd)
    return table
