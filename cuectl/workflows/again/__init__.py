"""Running again: rewind, fork and replay runs, and compare their code."""
