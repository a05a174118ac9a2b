"""Training: recipes, the folder of a run, and the process that runs one.

Nothing that is imported here needs torch. A recipe's function is imported in the process that runs it, which may be of
another environment (``train.python``), so that a server stays free of torch.
"""
