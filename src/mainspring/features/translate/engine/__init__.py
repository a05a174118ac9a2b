"""Translators on disk, and the code that translates with them."""
