"""A LiteLLM proxy's configuration, imported."""
