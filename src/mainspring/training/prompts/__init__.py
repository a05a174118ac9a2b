"""Recipes that look for better prompts by asking what is served. No torch."""
