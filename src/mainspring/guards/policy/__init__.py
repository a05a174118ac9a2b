"""Policies: what is checked for whom, and what is done."""
