"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"prompts": "edit prompts and move their labels"}
