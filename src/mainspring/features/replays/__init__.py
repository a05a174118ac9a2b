"""Sends recorded requests again with changes."""
