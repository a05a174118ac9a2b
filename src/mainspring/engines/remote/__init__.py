"""Models behind HTTP: OpenAI-compatible endpoints and vLLM."""
