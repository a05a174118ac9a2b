"""Admission: limits, queues and forecasts."""
