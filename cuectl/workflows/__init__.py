"""Workflows: procedures over agents, their runs, sessions, queues and histories."""
