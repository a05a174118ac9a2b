"""Stored chat completions: those that a key asked for with ``store: true``, lists, reads and deletes them."""
