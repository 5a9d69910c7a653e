"""Checking, rebuilding, packing and archiving a state directory."""
