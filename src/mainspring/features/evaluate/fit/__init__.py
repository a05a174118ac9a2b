"""Thresholds and routers fitted on labelled questions."""
