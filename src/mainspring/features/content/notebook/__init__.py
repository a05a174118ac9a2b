"""Notebooks: questions and overviews over chosen documents."""
