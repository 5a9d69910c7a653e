"""The commands about other machines: inspect them, or work as one."""
