"""Spans, tallies and alerts."""
