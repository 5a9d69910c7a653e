"""Effects: the clock, processes, passes, alerts."""
