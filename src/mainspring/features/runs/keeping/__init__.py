"""Keeps runs while this process works on them."""
