"""Rows for encoders: checks, batches, and rows made of others. Nothing here needs torch."""
