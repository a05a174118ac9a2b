"""Caches of answers."""
