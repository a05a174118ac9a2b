"""Spans of requests."""
