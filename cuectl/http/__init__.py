"""The HTTP interface: CueAPI's `/v1` for its own clients, scripts and workers, on loopback."""
