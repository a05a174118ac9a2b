"""Alerts, service level objectives, and who is told."""
