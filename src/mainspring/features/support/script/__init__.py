"""The dialogue of the shop: its tasks, the words that ask for them, and how values are read from messages."""
