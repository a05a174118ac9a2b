"""Dialogues over tools, driven by a script: identity first, slots, a confirmation before each write, escalation."""
