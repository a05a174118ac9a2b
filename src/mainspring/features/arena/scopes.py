"""Scopes of keys that the routes ask for, and what each allows."""

SCOPES = {"arena": "vote in arenas, over questions of your own and recorded ones, and see their leaderboards"}
