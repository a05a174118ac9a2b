"""The database, and the tools to read and write tables."""
