"""Child processes: how they are kept alive and spoken to."""
