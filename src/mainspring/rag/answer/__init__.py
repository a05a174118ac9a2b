"""Answers from documents: searches, judges what was found, quotes or writes the answer with citations, or refuses."""
