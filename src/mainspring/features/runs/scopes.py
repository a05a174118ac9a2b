"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"runs": "see, decide and steer the runs of agents of all keys with its groups"}
