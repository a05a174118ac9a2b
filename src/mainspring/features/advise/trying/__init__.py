"""How ways are tried: the sample, the candidates, the training, the comparison, and the rows that result."""
