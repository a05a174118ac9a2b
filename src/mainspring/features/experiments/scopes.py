"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"experiments": "run experiments and evals over data sets, and read their results"}
