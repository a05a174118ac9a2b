"""Source code as syntax trees: definitions, imports, faults, blocks."""
