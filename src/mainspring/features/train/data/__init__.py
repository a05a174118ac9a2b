"""The rows that a run learns from."""
