"""Rows for encoders: checked, in batches, and made of others. Nothing here needs torch."""
