"""Stores that may be lost: cached answers, and counters that servers share."""
