"""Leads from an answer to the feedback behind it, and back."""
