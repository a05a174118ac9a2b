"""Logs of other evaluation harnesses: read within bounds, since they may come from anywhere."""
