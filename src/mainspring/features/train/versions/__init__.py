"""Trained versions: stores, describes, traces and serves them."""
