"""Measures computed from labels: agreement, thresholds, estimates."""
