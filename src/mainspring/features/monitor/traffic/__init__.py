"""Counts of the traffic, and whether it has changed."""
