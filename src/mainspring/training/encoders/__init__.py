"""Fine-tuning of encoders: embedders, rerankers, readers, support checks and classifiers.

``listed`` names the recipes and needs no torch; ``batches``, ``figures``, ``near_misses``, ``rows`` and ``weights``
need none either. The rest is imported in the process of a run alone.
"""
