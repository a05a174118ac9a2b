"""Judges of streaming answers."""
