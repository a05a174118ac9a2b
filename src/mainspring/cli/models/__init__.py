"""Commands of models on this machine."""
