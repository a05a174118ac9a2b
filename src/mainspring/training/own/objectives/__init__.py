"""What a model is asked to predict: the next token, masked tokens, or corrupted spans. Numpy alone; no torch."""
