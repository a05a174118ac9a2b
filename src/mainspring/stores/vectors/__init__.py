"""Chunks and their vectors, in LanceDB or pgvector."""
