"""Batches: many requests in one file, answered with the lowest priority."""
