"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"lake": "query and build the lake: interactions of all keys with its groups"}
