"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"advise": "have prompt, documents and weights tried on a data set, and read the advice"}
