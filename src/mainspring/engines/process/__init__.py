"""Child processes: supervision and communication."""
