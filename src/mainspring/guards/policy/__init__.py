"""Policies: which checks and actions apply to whom."""
