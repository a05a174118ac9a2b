"""Sandboxes run Python code that nobody has read, and keep nothing of it."""
