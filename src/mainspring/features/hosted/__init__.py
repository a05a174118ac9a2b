"""Tools that the server runs for a request: searches of the web, MCP servers, code."""
