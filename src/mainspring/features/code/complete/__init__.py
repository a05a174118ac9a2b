"""Completions: prompts that models fill in the middle of, where they end, and whether they parse."""
