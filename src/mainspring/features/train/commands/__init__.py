"""The groups of ``mainspring train``."""
