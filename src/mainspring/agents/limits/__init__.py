"""The limits of agents, and signs that one makes no progress."""
