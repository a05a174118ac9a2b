"""Public benchmarks of models' abilities and risks, each read from a local file in its public format."""
