"""When something is suggested, and what is not: pure functions."""
