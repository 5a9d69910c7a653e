"""Fault sweeps over a real command: SIGKILL, errors and power cuts at every state change.

`sweeps` has the three sweeps; `runs` has single runs; `power` rebuilds what a disk may hold after
a power cut. Nothing but the standard library; Linux on x86_64 and aarch64, see `unavailable`.
"""
