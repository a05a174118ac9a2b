"""Searches in the web, through the endpoint of the settings."""
