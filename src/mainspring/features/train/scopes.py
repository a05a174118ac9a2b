"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"train": "train models on data of the tenant, and serve what was trained"}
