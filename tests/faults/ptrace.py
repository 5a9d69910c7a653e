"""The few ptrace requests that the tracer needs, through ctypes; Linux on x86_64 and aarch64.

Every function must be called on the thread that attached the tracee (ptrace(2)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_SEIZE, _SYSCALL, _LISTEN = 0x4206, 24, 0x4208
_POKEUSER, _GETREGSET, _SETREGSET = 6, 0x4204, 0x4205
_GETEVENTMSG, _GET_SYSCALL_INFO = 0x4201, 0x420E
_NT_PRSTATUS, _NT_ARM_SYSTEM_CALL = 1, 0x404
_X86_ORIG_RAX, _X86_RAX = 15 * 8, 10 * 8
_X86_ARGS = tuple(8 * slot for slot in (14, 13, 12, 7, 9, 8))  # rdi rsi rdx r10 r8 r9
_ARM_REGISTERS = struct.Struct("=34Q")

_SYSGOOD, _FORK, _VFORK, _CLONE, _EXEC, _EXITKILL = 0x1, 0x2, 0x4, 0x8, 0x10, 0x100000

WALL, WNOTHREAD = 0x40000000, 0x20000000
EVENT_EXEC, EVENT_STOP = 4, 128
EVENTS_OF_BIRTH = frozenset({1, 2, 3})  # fork, vfork, clone
ENTRY, EXIT = 1, 2


class SyscallInfo(ctypes.Structure):
    """struct ptrace_syscall_info; at an exit `nr` is the value returned and `args[0]` an error."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("nr", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6),
    )
    op: int
    nr: int
    args: ctypes.Array[ctypes.c_uint64]

    @property
    def returned(self) -> int:
        """The value at an exit stop, signed: -errno for an error."""
        return self.nr - (1 << 64) if self.nr >> 63 else self.nr


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


# PyDLL keeps the interpreter lock: the requests do not block, and there are thousands of them.
_ptrace = ctypes.PyDLL(None, use_errno=True).ptrace if sys.platform == "linux" else None
if _ptrace is not None:
    _ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    _ptrace.restype = ctypes.c_long


def _request(request: int, tid: int, address: int, data: int) -> None:
    if _ptrace is None:
        raise OSError(errno.ENOSYS, "no ptrace on this system")
    if _ptrace(request, tid, address, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace request {request:#x}: {os.strerror(code)}")


def seize(tid: int, *, follow: bool) -> None:
    """Attach to a process without stopping it; its threads always, its children on request."""
    options = _SYSGOOD | _CLONE | _EXEC | _EXITKILL | ((_FORK | _VFORK) if follow else 0)
    _request(_SEIZE, tid, 0, options)


def resume(tid: int, signal: int = 0) -> None:
    """Let a stopped tracee run to its next system call entry or exit, delivering `signal`."""
    _request(_SYSCALL, tid, 0, signal)


def listen(tid: int) -> None:
    """Leave a tracee in the group stop that a SIGSTOP put it in."""
    _request(_LISTEN, tid, 0, 0)


def syscall_info(tid: int, into: SyscallInfo) -> None:
    """Fill `into` with what the tracee is stopped at."""
    _request(_GET_SYSCALL_INFO, tid, ctypes.sizeof(into), ctypes.addressof(into))


def event_message(tid: int) -> int:
    """At the stop of a fork, vfork or clone: return the id of the new process or thread."""
    message = ctypes.c_ulong()
    _request(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    return message.value


def cancel_call(tid: int) -> None:
    """At an entry stop: let the kernel execute nothing in place of the call."""
    if platform.machine() == "x86_64":
        _request(_POKEUSER, tid, _X86_ORIG_RAX, -1)
    else:
        number = ctypes.c_int(-1)
        _regset(_SETREGSET, tid, _NT_ARM_SYSTEM_CALL, ctypes.addressof(number), 4)


def set_returned(tid: int, value: int) -> None:
    """At an exit stop: let the call return `value`."""
    if platform.machine() == "x86_64":
        _request(_POKEUSER, tid, _X86_RAX, value)
    else:
        _set_arm_register(tid, 0, value)


def set_argument(tid: int, index: int, value: int) -> None:
    """At an entry stop: replace one argument of the call."""
    if platform.machine() == "x86_64":
        _request(_POKEUSER, tid, _X86_ARGS[index], value)
    else:
        _set_arm_register(tid, index, value)


def _set_arm_register(tid: int, index: int, value: int) -> None:
    buffer = ctypes.create_string_buffer(_ARM_REGISTERS.size)
    address = ctypes.addressof(buffer)
    _regset(_GETREGSET, tid, _NT_PRSTATUS, address, _ARM_REGISTERS.size)
    registers = list(_ARM_REGISTERS.unpack(buffer.raw))
    registers[index] = value & (1 << 64) - 1
    buffer.raw = _ARM_REGISTERS.pack(*registers)
    _regset(_SETREGSET, tid, _NT_PRSTATUS, address, _ARM_REGISTERS.size)


def _regset(request: int, tid: int, kind: int, address: int, length: int) -> None:
    vector = _IoVec(address, length)
    _request(request, tid, kind, ctypes.addressof(vector))
