"""Translators on disk, and what translates with them."""
