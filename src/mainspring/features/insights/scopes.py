"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"insights": "see topics, sentiment, resolution and gaps of the conversations of all keys with its groups"}
