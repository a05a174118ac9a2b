"""From an engine to a chat model: templates, tools, sampling, and the text that comes out."""
