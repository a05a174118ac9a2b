"""The third stage: a reward model of preferences, and reinforcement learning against it."""
