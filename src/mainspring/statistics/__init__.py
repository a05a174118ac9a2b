"""Ranking metrics, curves, and tests of significance."""
