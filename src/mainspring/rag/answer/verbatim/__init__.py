"""Answers in the documents' own words: which units are read again, chosen and shown, and how."""
