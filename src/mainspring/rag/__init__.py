"""Retrieval over documents: parse, chunk, ingest, retrieve, answer, cite."""
