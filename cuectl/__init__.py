"""Run scheduled, event-driven and chained work, and prove that it was done."""
