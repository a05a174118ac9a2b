"""Transformers: decoder-only, encoder-only, encoder with decoder. ``shape`` says how large one is, without torch."""
