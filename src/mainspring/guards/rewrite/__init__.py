"""Texts made harmless: placeholders, links, marks and windows."""
