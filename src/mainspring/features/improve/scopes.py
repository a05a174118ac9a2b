"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"improve": "see what the loop of improvement does, what it decided and why, and the lineage of answers"}
