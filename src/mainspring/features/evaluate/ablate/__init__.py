"""Ablations: which part of a system gains how much."""
