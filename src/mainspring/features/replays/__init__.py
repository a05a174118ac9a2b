"""Recorded requests asked again, with something changed."""
