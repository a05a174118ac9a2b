"""The data of a person, and its erasure."""
