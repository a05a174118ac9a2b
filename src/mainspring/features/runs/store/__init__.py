"""The rows of runs: their states, their steps, and what sessions and people add."""
