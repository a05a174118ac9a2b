"""The RAG triad: context relevance, groundedness and answer relevance."""
