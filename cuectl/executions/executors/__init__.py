"""Where an execution runs: one module for each executor."""
