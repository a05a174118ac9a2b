"""Answers by meaning: when two questions may share an answer, and what is kept for it."""
