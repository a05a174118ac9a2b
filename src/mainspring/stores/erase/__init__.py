"""Erasure of a person's data, and of expired data."""
