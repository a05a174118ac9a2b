"""Encoders: embedders and rerankers."""
