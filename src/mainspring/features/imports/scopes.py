"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"import": "bring recorded traffic of other systems"}
