"""The MCP interface: what an agent can ask of cuectl, on the official SDK (extra `mcp`)."""
