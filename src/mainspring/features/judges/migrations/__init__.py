"""Changes of the tables of this feature."""
