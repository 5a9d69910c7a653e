"""Alert sinks, one module each, in a registry."""
