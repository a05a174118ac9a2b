"""Stored chat completions: those that a key asked for with ``store: true``, listed, read again and deleted."""
