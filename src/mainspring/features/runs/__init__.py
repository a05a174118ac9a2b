"""Runs of agents that are kept: their steps are recorded, so that they outlive the process that makes them."""
