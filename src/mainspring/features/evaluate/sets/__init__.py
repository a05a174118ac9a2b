"""Judged data sets and their loaders."""
