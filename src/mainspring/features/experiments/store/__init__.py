"""The rows of experiments and of their results."""
