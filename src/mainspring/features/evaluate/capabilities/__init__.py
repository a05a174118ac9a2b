"""Public benchmarks of what models can do and should not do, each read from a local file in its public format."""
