"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"desk": "work on the cases of customers: read, take, answer, close"}
