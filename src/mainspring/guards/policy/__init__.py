"""Policies: what is checked for whom, and the actions."""
