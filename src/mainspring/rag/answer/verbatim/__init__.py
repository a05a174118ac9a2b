"""Answers in the documents' own words: reads units again, chooses them and shows them."""
