"""One module per command, each with a `command`; the registry says where."""
