"""Uploads: a file that comes in parts."""
