"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"translate": "translate texts and documents, and suggest better translations"}
