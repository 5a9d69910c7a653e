"""Runs once more: gone back in, forked, replayed; which code they were and are."""
