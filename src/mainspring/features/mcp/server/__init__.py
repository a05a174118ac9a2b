"""The server: what it offers, and how a client reaches it."""
