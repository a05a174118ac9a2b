"""Extracts the text of a file in a child process."""
