"""Collections, documents, files and blobs."""
