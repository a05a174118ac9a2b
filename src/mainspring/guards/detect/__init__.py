"""Detectors: faults of a text, and their places."""
