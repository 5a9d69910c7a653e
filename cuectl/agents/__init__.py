"""Agents: their programs, their turns, their slots and the line before them."""
