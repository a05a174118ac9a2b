"""The common part of the features of evaluation, data and training: examples, answers to them, scorers, and
interactions."""
