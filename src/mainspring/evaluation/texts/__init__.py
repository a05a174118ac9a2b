"""Measures of generated texts against references."""
