"""Strategies that cut documents into chunks; ``mainspring.rag.chunk.chunking`` chooses among them."""
