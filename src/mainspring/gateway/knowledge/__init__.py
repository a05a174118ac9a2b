"""Routes of documents: files, and vector stores (collections) with their files and batches of files."""
