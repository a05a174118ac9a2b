"""One agent in several frameworks, each run by the interpreter of its own environment."""
