"""Recipes that need no torch: numpy, and the embedding model that is served."""
