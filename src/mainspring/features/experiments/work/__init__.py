"""Asks, scores and compares."""
