"""What the features of evaluation, data and training share: examples, answers to them, scorers, and interactions."""
