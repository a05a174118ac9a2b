"""The loop shown on this machine: simulated people, a server, and what became of what they said."""
