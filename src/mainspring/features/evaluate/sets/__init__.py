"""Judged data sets and how they are read."""
