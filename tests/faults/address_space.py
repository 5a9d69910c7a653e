"""Read what the arguments of a stopped process's system call stand for."""

from __future__ import annotations

import mmap
import os
import struct

_AT_FDCWD = -100
_PATH_LIMIT = 4096
_DELETED = " (deleted)"


class AddressSpace:
    """The memory and the descriptors of one traced process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._memory = -1

    def close(self) -> None:
        """Forget the memory: the process is over, or has executed another program."""
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1

    def read(self, address: int, length: int) -> bytes:
        """Return bytes of the process, fewer where its mapping ends."""
        return os.pread(self._opened(), length, address)

    def write(self, address: int, data: bytes) -> None:
        """Replace bytes of the process, which must be standing still."""
        written = os.pwrite(self._opened(), data, address)
        assert written == len(data), "the memory of the process ends there"

    def _opened(self) -> int:
        if self._memory < 0:
            self._memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        return self._memory

    def number(self, address: int) -> int:
        """Return the 64-bit number at an address."""
        return int(struct.unpack("=Q", self.read(address, 8))[0])

    def text(self, address: int) -> str:
        """Return the NUL-terminated string at an address, '' for a null pointer."""
        found = b""
        while address and len(found) < _PATH_LIMIT:
            # A page at a time, because the next page need not be mapped.
            chunk = self.read(address, mmap.PAGESIZE - address % mmap.PAGESIZE)
            found += chunk
            if not chunk or b"\0" in chunk:
                break
            address += len(chunk)
        return os.fsdecode(found.split(b"\0", 1)[0])

    def descriptor(self, fd: int) -> str:
        """Return the path behind a descriptor ('' if it is not open), deleted or not."""
        try:
            path = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        except OSError:
            return ""
        return path.removesuffix(_DELETED)

    def link(self, fd: int) -> str:
        """Return the name under which another process can open or stat a descriptor."""
        return f"/proc/{self.pid}/fd/{fd}"

    def position(self, fd: int) -> tuple[int, int]:
        """Return the file position and the open flags of a descriptor."""
        with open(f"/proc/{self.pid}/fdinfo/{fd}", encoding="ascii") as lines:
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return int(fields["pos"]), int(fields["flags"], 8)

    def resolve(self, dirfd: int | None, address: int, *, follow: bool) -> str:
        """Return the absolute path that a call means, symbolic links taken out.

        Args:
            dirfd: the directory descriptor as the register holds it; None for a plain path.
            address: where the string is.
            follow: the call goes through a link in the last component.
        """
        text = self.text(address)
        signed = _AT_FDCWD if dirfd is None else signed_int(dirfd)
        if not text and signed != _AT_FDCWD:
            return self.descriptor(signed)
        for alias in ("/proc/self/", "/proc/thread-self/"):
            if text.startswith(alias):
                text = f"/proc/{self.pid}/" + text.removeprefix(alias)
        if not text.startswith("/"):
            base = "cwd" if signed == _AT_FDCWD else f"fd/{signed}"
            try:
                text = os.path.join(os.readlink(f"/proc/{self.pid}/{base}"), text)
            except OSError:
                return ""
        directory, name = os.path.split(text)
        if follow or name in {"", ".", ".."}:
            return os.path.realpath(text)
        return os.path.join(os.path.realpath(directory), name)


def signed_int(register: int) -> int:
    """Return a C int as the low half of a register holds it."""
    low = register & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
