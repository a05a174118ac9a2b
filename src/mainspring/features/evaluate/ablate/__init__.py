"""Ablations: how much each part of a system gains."""
