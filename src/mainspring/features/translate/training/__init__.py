"""Pairs of sentences as data, and the recipe that makes a translator of them."""
