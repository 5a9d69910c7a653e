"""Pure rules and records of alerts and pings."""
