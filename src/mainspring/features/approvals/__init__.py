"""Calls of tools that wait until somebody approves them."""
