"""Training by several processes: who holds which part of the data, the weights and the layers, and how much memory that
takes. ``layout`` and ``memory`` need no torch.
"""
