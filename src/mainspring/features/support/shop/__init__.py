"""The shop as the tools see it: its protocol, and the sample shop in SQLite."""
