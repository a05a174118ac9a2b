"""Whether documents say what a question asks."""
