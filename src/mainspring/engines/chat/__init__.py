"""Makes a chat model from an engine: templates, tools, sampling and text output."""
