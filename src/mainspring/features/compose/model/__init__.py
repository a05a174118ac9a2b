"""Proposes words: the decoder in numpy, its search, and n-grams."""
