"""The Model Context Protocol: what is served here as tools, resources and prompts, and the tools of other servers."""
