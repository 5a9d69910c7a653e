"""Values that every wing may use, and that use nothing: errors, ids, instants, limits."""
