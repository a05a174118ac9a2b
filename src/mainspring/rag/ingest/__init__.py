"""Documents into collections, and out of them again."""
