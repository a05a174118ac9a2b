"""Commands that start a server, check it, and save and restore its home."""
