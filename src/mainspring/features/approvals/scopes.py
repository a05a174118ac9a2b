"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"approve": "approve or deny calls of tools that wait"}
