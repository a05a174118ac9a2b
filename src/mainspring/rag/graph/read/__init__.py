"""Builds the graph of a document from its text."""
