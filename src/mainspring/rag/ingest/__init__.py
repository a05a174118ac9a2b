"""Adds documents to collections, and removes them."""
