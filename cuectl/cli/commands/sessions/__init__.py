"""Commands of the group `sessions`."""
