"""The protocol as the SDK reads and writes it: only these modules import it."""
