"""Judges as data: their definitions, and those that come with the package."""
