"""Setting cuectl up and looking after it: schedulers, checks, status, metrics."""
