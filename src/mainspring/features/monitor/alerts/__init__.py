"""Alerts, service level objectives, and notifications."""
