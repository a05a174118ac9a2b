"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"agents": "create, change and delete agents"}
