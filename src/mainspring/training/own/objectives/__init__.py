"""The prediction targets of a model: the next token, masked tokens, or corrupted spans. Numpy alone; no torch."""
