"""Experiments: responders that answer a data set, and scorers of their answers, compared in pairs."""
