"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"trials": "see online experiments, their arms and their verdicts"}
