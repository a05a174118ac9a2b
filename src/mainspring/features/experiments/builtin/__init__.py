"""Scorers that mainspring brings."""
