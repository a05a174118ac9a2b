"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"compose": "get suggestions while a mail is typed, and tell what came of them"}
