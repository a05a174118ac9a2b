"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"replay": "ask recorded requests again"}
