"""Builds of the training-ready zone: every step over all interactions, counted."""
