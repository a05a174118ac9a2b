"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"judges": "define judges, judge texts, measure judges on labels, see their figures"}
