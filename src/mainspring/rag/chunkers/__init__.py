"""Strategies that cut documents into chunks; ``mainspring.rag.chunk`` chooses among them."""
