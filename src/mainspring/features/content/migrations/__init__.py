"""Changes of the tables of the content platform."""
