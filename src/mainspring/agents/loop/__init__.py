"""The loop that runs agents: models and tools in turns, each a step of the run's history."""
