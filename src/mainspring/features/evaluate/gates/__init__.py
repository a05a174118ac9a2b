"""Gates: whether a candidate may take the place of the incumbent."""
