"""Commands of the group `workflow`."""
