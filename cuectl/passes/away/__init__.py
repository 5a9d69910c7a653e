"""Executions on other machines, as a pass looks after them."""
