"""The rows of insights."""
