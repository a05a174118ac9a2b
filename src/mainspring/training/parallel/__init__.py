"""Training by several processes: the parts of the data, the weights and the layers that each holds, and how much memory
that takes. ``layout`` and ``memory`` need no torch.
"""
